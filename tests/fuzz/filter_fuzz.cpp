// What operators write and what senders send: patterns, conditions, sampling rules, quotas, options;
// events under all filters at once. The first line is the operator's, the rest the payload.

#include "fuzz/invariant.h"
#include "relay/filter/address.h"
#include "relay/filter/filters.h"
#include "relay/filter/json_fields.h"
#include "relay/filter/project_options.h"
#include "relay/filter/sampling.h"
#include "relay/protocol/glob.h"

#include <algorithm>
#include <string>

namespace picket::filter {

using fuzz::check;
using relay::Glob;
using relay::GlobKind;
using relay::lower_case;

namespace {

template <class T>
bool made(const Result<T>& result) {
  if (!result) check(!result.error().detail.empty(), "an error has words");
  return static_cast<bool>(result);
}

void check_glob(std::string_view pattern, std::string_view text) {
  const auto glob = Glob::parse(pattern, GlobKind::caseless_text);
  if (!made(glob)) return;
  const bool matched = glob->matches(text);
  check(matched == glob->matches(lower_case(text)), "case does not matter");
  if (pattern.find_first_of("*?[]{}\\") == std::string_view::npos)
    check(matched == (lower_case(pattern) == lower_case(text.substr(0, relay::longest_matched))), "a plain pattern is an equality");
  check(Glob::parse("*", GlobKind::caseless_text)->matches(text), "a star matches everything");
  for (const auto kind : {GlobKind::text, GlobKind::caseless_text, GlobKind::path}) (void)Glob::lenient(pattern, kind).matches(text);
}

const Filters& all_filters() {
  static const auto filters = [] {
    FilterOptions options;
    options.browser_extensions = options.localhost = options.web_crawlers = true;
    options.filtered_transactions = options.hydration_errors = options.chunk_load_errors = true;
    options.legacy_browsers = {"default", "chrome", "ie11"};
    options.addresses = {"10.0.0.0/8", "2001:db8::/32"};
    options.releases = {"1.*", "*-{beta,rc}"};
    options.error_messages = {"*never [0-9] said*"};
    options.csp_sources = {"*.ads.example", "https://*:8443"};
    options.generic = {{"g", R"({"op":"any","name":"event.exceptions","inner":{"op":"eq","name":"ty","value":"X"}})"}};
    return *Filters::make(options);
  }();
  return filters;
}

void check_filters(std::string_view line, std::string_view payload) {
  for (const std::string_view type :
       {"event", "transaction", "session", "raw_security", "log", "replay_event"}) {
    relay::Item item;
    item.type = type;
    item.payload = payload;
    const auto reason = all_filters().judge(item, {line, line, payload});
    check(reason.size() <= 32, "a reason is a short word");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto input = fuzz::as_text(bytes, size);
  const auto end = std::min(input.find('\n'), input.size());
  const auto line = input.substr(0, end);
  const auto payload = input.substr(std::min(end + 1, input.size()));
  check_glob(line, payload);
  made(parse_network(line));
  made(parse_quotas(line));
  if (const auto condition = Condition::parse(line); made(condition)) {
    const JsonFields fields("event", payload, payload);
    condition->matches(fields);
  }
  if (const auto sampling = Sampling::parse(line); made(sampling)) {
    const auto reason = sampling->judge("event", payload, payload, time_from_ms(1'700'000'000'000),
                                        [](std::uint32_t, std::uint64_t) { return false; });
    check(reason.empty() || reason.starts_with("Sampled:"), "a sampled item says by which rules");
  }
  std::vector<std::string> problems;
  const auto options = read_project_options(line, payload, problems);
  check(static_cast<bool>(Filters::make(options.filters)), "what was read can be used");
  check_filters(line, payload);
  return 0;
}

}  // namespace picket::filter
