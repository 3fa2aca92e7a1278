#include "relay/filter/filters.h"

#include "relay/filter/json_fields.h"
#include "relay/filter/known_errors.h"

#include <algorithm>

namespace picket::filter {
namespace {

// Where the members of an item's payload that filters read are.
enum class Shape : std::uint8_t {
  none,         // never filtered
  event,        // an event, or something with its members
  csp,
  session,      // judged by the request alone, and by attrs.release
  other,        // judged by the sender's address alone
};

Shape shape_of(std::string_view type) {
  if (type == "event" || type == "transaction" || type == "feedback" || type == "replay_event")
    return Shape::event;
  if (type == "raw_security" || type == "security") return Shape::csp;
  if (type == "session" || type == "sessions") return Shape::session;
  if (type == "client_report" || type == "check_in") return Shape::none;
  return Shape::other;
}

// The first word of names in conditions that mean this item's payload.
std::string_view space_of(std::string_view type) {
  if (shape_of(type) == Shape::event) return "event";
  if (type == "span" || type == "log" || type == "trace_metric") return type;
  return {};
}

// "https://shop.example:8080/path" → scheme, host, port.
struct UrlParts {
  std::string scheme;
  std::string host;
  std::string port;
};
UrlParts split_url(std::string_view url) {
  UrlParts parts;
  const auto folded = relay::lower_case(url.substr(0, 2048));
  std::string_view rest = folded;
  if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
    parts.scheme = rest.substr(0, scheme);
    rest.remove_prefix(scheme + 3);
  }
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const auto user = rest.rfind('@'); user != std::string_view::npos)
    rest.remove_prefix(user + 1);
  const auto colon = rest.starts_with('[') ? rest.find(':', rest.find(']')) : rest.find(':');
  parts.host = rest.substr(0, colon);
  if (colon != std::string_view::npos) parts.port = rest.substr(colon + 1);
  return parts;
}

bool is_local_host(std::string_view host) {
  if (host == "localhost" || host == "127.0.0.1" || host == "[::1]") return true;
  return host.ends_with(".localhost");
}

bool is_local(const EventFacts& facts) {
  if (const auto address = parse_address(facts.user_address); address && is_loopback(*address))
    return true;
  if (!facts.url.empty()) {
    const auto url = split_url(facts.url);
    if (url.scheme == "file" || is_local_host(url.host)) return true;
  }
  return is_local_host(split_url(facts.host).host) ||
         is_local_host(split_url(facts.forwarded_host).host);
}

Error wrong(std::string_view what, const Error& error) {
  return Error{Fault::malformed, std::string(what) + ": " + error.detail};
}

// attrs.release of a session.
std::string session_release(std::string_view payload) {
  JsonFields fields("session", payload, {});
  const auto value = fields.value("session.attrs.release");
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string() : *text;
}

}  // namespace

Filters::CspSource Filters::parse_csp_source(std::string_view text) {
  auto parts = split_url(text);
  CspSource source;
  const auto any_to_empty = [](std::string part) { return part == "*" ? std::string() : part; };
  source.scheme = any_to_empty(std::move(parts.scheme));
  source.port = any_to_empty(std::move(parts.port));
  source.host = any_to_empty(std::move(parts.host));
  if (source.host.starts_with("*.")) {
    source.subdomains = true;
    source.host.erase(0, 2);
  }
  return source;
}

bool Filters::matches(const CspSource& source, std::string_view url) {
  if (url.empty()) return false;
  const auto parts = split_url(url);
  if (!source.scheme.empty() && source.scheme != parts.scheme) return false;
  if (!source.port.empty() && source.port != parts.port) return false;
  if (source.host.empty()) return true;
  if (!source.subdomains) return source.host == parts.host;
  return parts.host.size() > source.host.size() && parts.host.ends_with(source.host) &&
         parts.host[parts.host.size() - source.host.size() - 1] == '.';
}

Result<Filters> Filters::make(const FilterOptions& options) {
  Filters filters;
  filters.options_ = options;
  for (const auto& text : options.addresses) {
    auto network = parse_network(text);
    if (!network) return network.error();
    filters.networks_.push_back(*network);
  }
  auto releases = relay::GlobSet::parse(options.releases);
  if (!releases) return wrong("releases", releases.error());
  filters.releases_ = *std::move(releases);
  auto messages = relay::GlobSet::parse(options.error_messages);
  if (!messages) return wrong("error messages", messages.error());
  filters.error_messages_ = *std::move(messages);
  auto browsers = LegacyBrowsers::parse(options.legacy_browsers);
  if (!browsers) return browsers.error();
  filters.legacy_browsers_ = *std::move(browsers);
  for (const auto& text : options.csp_sources)
    filters.csp_sources_.push_back(parse_csp_source(text));
  for (const auto& [id, text] : options.generic) {
    auto condition = Condition::parse(text);
    if (!condition) return wrong("generic filter " + id, condition.error());
    filters.generic_.emplace_back(id, *std::move(condition));
  }

  int needs = 0;
  if (!filters.releases_.empty()) needs |= need_release;
  if (!filters.error_messages_.empty() || options.hydration_errors || options.chunk_load_errors)
    needs |= need_errors;
  if (options.localhost) needs |= need_request | need_user;
  if (options.browser_extensions) needs |= need_errors | need_source;
  if (!filters.legacy_browsers_.empty() || options.web_crawlers) needs |= need_request;
  if (options.filtered_transactions) needs |= need_transaction;
  filters.event_needs_ = static_cast<std::uint8_t>(needs);
  filters.empty_ = needs == 0 && filters.networks_.empty() && filters.csp_sources_.empty() &&
                   filters.generic_.empty();
  return filters;
}

std::string_view Filters::judge(const relay::Item& item, const Sent& sent) const {
  thread_local relay::JsonIndex index;
  relay::IndexedJson payload(item.payload, index);
  return judge(item, sent, payload);
}

std::string_view Filters::judge(const relay::Item& item,
                                const Sent& sent,
                                relay::IndexedJson& payload) const {
  const auto shape = shape_of(item.type);
  if (empty_ || shape == Shape::none) return {};
  if (!generic_.empty()) {
    if (const auto id = judge_generic(item, sent); !id.empty()) return id;
  }
  if (shape == Shape::csp && blocks_csp(payload)) return "invalid-csp";
  if (blocks_address(sent.client_address)) return "ip-address";
  if (shape == Shape::session) {
    if (!releases_.empty() && releases_.matches(session_release(item.payload)))
      return "release-version";
    return judge_user_agent(sent.user_agent);
  }
  if (shape != Shape::event || event_needs_ == 0) return {};
  const bool transaction = item.type == "transaction";
  auto needs = event_needs_;
  if (!transaction) needs = static_cast<std::uint8_t>(needs & ~need_transaction);
  return needs == 0 ? std::string_view() : judge_event(read_event(payload, needs), transaction);
}

std::string_view Filters::judge_generic(const relay::Item& item, const Sent& sent) const {
  const JsonFields fields(space_of(item.type), item.payload, sent.trace);
  for (const auto& [id, condition] : generic_) {
    if (condition.matches(fields)) return id;
  }
  return {};
}

bool Filters::blocks_csp(relay::IndexedJson& payload) const {
  if (csp_sources_.empty()) return false;
  const auto facts = read_csp(payload);
  return std::any_of(csp_sources_.begin(), csp_sources_.end(), [&](const CspSource& source) {
    return matches(source, facts.blocked) || matches(source, facts.source);
  });
}

bool Filters::blocks_address(std::string_view text) const {
  if (networks_.empty()) return false;
  const auto address = parse_address(text);
  return address && std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
           return network.contains(*address);
         });
}

std::string_view Filters::judge_event(const EventFacts& facts, bool transaction) const {
  if (!facts.release.empty() && releases_.matches(facts.release)) return "release-version";
  if (!transaction) {
    if (const auto reason = judge_errors(facts); !reason.empty()) return reason;
  }
  if (options_.localhost && is_local(facts)) return "localhost";
  if (options_.browser_extensions) {
    const bool extension =
        std::any_of(facts.errors.begin(), facts.errors.end(), [](const ErrorFact& error) {
          return is_extension_message(error.value) || is_extension_source(error.source);
        });
    if (extension) return "browser-extensions";
  }
  if (const auto reason = judge_user_agent(facts.user_agent); !reason.empty()) return reason;
  if (transaction && options_.filtered_transactions && is_health_check(facts.transaction))
    return "filtered-transaction";
  return {};
}

std::string_view Filters::judge_errors(const EventFacts& facts) const {
  if (options_.hydration_errors || options_.chunk_load_errors) {
    for (const auto& error : facts.errors) {
      if (options_.hydration_errors && is_hydration_error(error.value))
        return "react-hydration-errors";
      if (options_.chunk_load_errors && is_chunk_load_error(error.type, error.value))
        return "chunk-load-error";
    }
  }
  if (error_messages_.empty()) return {};
  if (!facts.message.empty() && error_messages_.matches(facts.message)) return "error-message";
  for (const auto& error : facts.errors) {
    std::string whole(error.type);
    if (!error.type.empty() && !error.value.empty()) whole += ": ";
    whole += error.value.substr(0, relay::longest_matched);
    const bool matched = (!whole.empty() && error_messages_.matches(whole)) ||
                         (!error.value.empty() && error_messages_.matches(error.value));
    if (matched) return "error-message";
  }
  return {};
}

std::string_view Filters::judge_user_agent(std::string_view user_agent) const {
  if (user_agent.empty()) return {};
  if (!legacy_browsers_.empty()) {
    const auto browser = find_browser(user_agent);
    if (browser && legacy_browsers_.contain(*browser)) return "legacy-browsers";
  }
  if (options_.web_crawlers && is_web_crawler(user_agent)) return "web-crawlers";
  return {};
}

}  // namespace picket::filter
