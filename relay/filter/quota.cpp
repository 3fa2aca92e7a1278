#include "relay/filter/quota.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace picket::filter {
namespace {

constexpr std::int64_t longest_window_s = 31 * 86'400;
constexpr std::size_t longest_id = 64;

Error malformed(std::string detail) {
  return Error{Fault::malformed, std::move(detail)};
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= longest_id &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

Result<std::vector<std::string>> read_names(const simdjson::dom::object& object) {
  std::vector<std::string> names;
  simdjson::dom::element member;
  if (object["categories"].get(member) != simdjson::SUCCESS || member.is_null()) return names;
  simdjson::dom::array list;
  if (member.get(list) != simdjson::SUCCESS) return malformed("categories is not a list");
  for (const auto entry : list) {
    std::string_view name;
    if (entry.get(name) != simdjson::SUCCESS) return malformed("a category is not a word");
    names.emplace_back(name);
  }
  return names;
}

Result<Quota> read_quota(const simdjson::dom::object& object) {
  Quota quota;
  std::string_view text;
  if (object["id"].get(text) != simdjson::SUCCESS || !is_word(text))
    return malformed("id must be a word of letters, digits, '_', '-' and '.'");
  quota.id = text;
  auto names = read_names(object);
  if (!names) return names.error();
  auto categories = parse_categories(*names);
  if (!categories) return categories.error();
  quota.categories = *std::move(categories);
  if (object["limit"].get(quota.limit) != simdjson::SUCCESS)
    return malformed("limit must be a whole number, 0 or more");
  std::int64_t window = 60;
  if (object["window"].get(window) == simdjson::NO_SUCH_FIELD && quota.limit > 0)
    return malformed("window is missing");
  if (window < 1 || window > longest_window_s)
    return malformed("window must be from 1 to " + std::to_string(longest_window_s) + " seconds");
  quota.window = std::chrono::seconds(window);
  if (object["scope"].get(text) == simdjson::SUCCESS) {
    const auto scope = parse_scope(text);
    if (!scope) return scope.error();
    quota.scope = *scope;
  }
  quota.reason = std::string(wire_name(quota.scope)) + "_quota";
  if (quota.scope == Scope::organization) quota.reason = "org_quota";
  if (object["reasonCode"].get(text) == simdjson::SUCCESS) {
    if (!is_word(text)) return malformed("reasonCode must be a word");
    quota.reason = text;
  }
  return quota;
}

}  // namespace

std::string_view wire_name(Scope scope) {
  switch (scope) {
    case Scope::organization: return "organization";
    case Scope::project: return "project";
    case Scope::key: return "key";
  }
  std::abort();
}

bool Quota::covers(relay::DataCategory category) const {
  return categories.empty() ||
         std::find(categories.begin(), categories.end(), category) != categories.end();
}

Result<std::vector<relay::DataCategory>> parse_categories(const std::vector<std::string>& names) {
  std::vector<relay::DataCategory> categories;
  if (names.size() == 1 && (names[0].empty() || names[0] == "*")) return categories;
  for (const auto& name : names) {
    const auto category = relay::parse_data_category(name);
    if (!category) return malformed("\"" + name.substr(0, 60) + "\" is no data category");
    categories.push_back(*category);
  }
  return categories;
}

Result<Scope> parse_scope(std::string_view name) {
  for (const auto scope : {Scope::organization, Scope::project, Scope::key}) {
    if (wire_name(scope) == name) return scope;
  }
  return malformed("a scope is one of organization, project, key");
}

Result<std::vector<Quota>> parse_quotas(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(json.data(), json.size()).get_array().get(list) != simdjson::SUCCESS)
    return malformed("quotas are not a JSON list");
  std::vector<Quota> quotas;
  for (const auto entry : list) {
    simdjson::dom::object object;
    const auto where = "quota " + std::to_string(quotas.size() + 1) + ": ";
    if (quotas.size() == most_quotas)
      return malformed("there are more than " + std::to_string(most_quotas) + " quotas");
    if (entry.get(object) != simdjson::SUCCESS) return malformed(where + "not an object");
    auto quota = read_quota(object);
    if (!quota) return malformed(where + quota.error().detail);
    const bool again = std::any_of(quotas.begin(), quotas.end(),
                                   [&](const Quota& other) { return other.id == quota->id; });
    if (again) return malformed(where + "the id is given twice");
    quotas.push_back(*std::move(quota));
  }
  return quotas;
}

SlidingWindow::SlidingWindow(std::chrono::seconds window)
    : slot_(std::max<Duration>(Duration(window) / (static_cast<int>(slots) - 1), Duration(1))) {}

void SlidingWindow::advance(Time now) {
  const auto slot = to_ms(now) / slot_.count();
  // A clock that was set back goes on counting in the newest slot.
  if (slot <= newest_) return;
  const auto steps = std::min<std::int64_t>(slot - newest_, slots);
  for (std::int64_t i = 0; i < steps; ++i)
    counts_.at(static_cast<std::size_t>((slot - i) % static_cast<std::int64_t>(slots))) = 0;
  newest_ = slot;
}

std::uint64_t SlidingWindow::used(Time now) {
  advance(now);
  std::uint64_t sum = 0;
  for (const auto count : counts_)
    sum += count;
  return sum;
}

void SlidingWindow::add(Time now, std::uint64_t quantity) {
  advance(now);
  auto& count = counts_.at(static_cast<std::size_t>(newest_ % static_cast<std::int64_t>(slots)));
  // Far from overflow when all slots are summed up.
  constexpr auto most = std::numeric_limits<std::uint64_t>::max() / (slots + 1);
  count = std::min(count + std::min(quantity, most / 2), most);
}

Duration SlidingWindow::wait(Time now, std::uint64_t quantity, std::uint64_t limit) {
  auto sum = used(now);
  const auto fits = [&] { return sum <= limit && quantity <= limit - sum; };
  if (fits()) return Duration(0);
  for (std::int64_t age = static_cast<std::int64_t>(slots) - 1;; --age) {
    const auto slot = newest_ - age;
    if (slot < 0) continue;
    sum -= counts_.at(static_cast<std::size_t>(slot % static_cast<std::int64_t>(slots)));
    // That slot is gone when the newest is `slots` past it.
    const auto gone = Time(slot_ * (slot + static_cast<std::int64_t>(slots)));
    if (age == 0 || fits()) return std::max<Duration>(gone - now, Duration(1));
  }
}

}  // namespace picket::filter
