#include "upstream/limits.h"

#include "upstream/answer.h"

#include <algorithm>
#include <chrono>

namespace picket::upstream {
namespace {

using relay::DataCategory;
constexpr Duration longest = std::chrono::hours(24);
// An upstream invents no more kinds of limits than this; past it the soonest to end goes.
constexpr std::size_t max_limits = 500;

std::string bound(const std::string& scope, const Target& target) {
  if (scope == "organization") return target.origin;
  const auto project = target.origin + "/" + std::to_string(target.project);
  return scope == "project" ? project : project + "/" + target.key;
}

// Upstream counts some items twice: as items and as bytes or seconds.
bool covers(DataCategory limited, DataCategory category) {
  if (limited == category) return true;
  switch (category) {
    case DataCategory::log_item: return limited == DataCategory::log_byte;
    case DataCategory::trace_metric: return limited == DataCategory::trace_metric_byte;
    case DataCategory::attachment: return limited == DataCategory::attachment_item;
    case DataCategory::profile_chunk: return limited == DataCategory::profile_duration;
    case DataCategory::profile_chunk_ui: return limited == DataCategory::profile_duration_ui;
    default: return false;
  }
}

std::string render_categories(const std::vector<DataCategory>& categories) {
  std::string text;
  for (const DataCategory category : categories) {
    if (!text.empty()) text += ';';
    text += relay::wire_name(category);
  }
  return text;
}

std::vector<DataCategory> parse_categories(std::string_view text) {
  std::vector<DataCategory> categories;
  while (!text.empty()) {
    const auto end = text.find(';');
    if (const auto category = relay::parse_data_category(text.substr(0, end))) categories.push_back(*category);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return categories;
}

}  // namespace

bool Limits::add(Limit limit) {
  for (Limit& known : limits_) {
    if (known.target != limit.target || known.categories != limit.categories) continue;
    if (known.until >= limit.until) return false;
    known.until = limit.until;
    known.reason = limit.reason;
    return true;
  }
  if (limits_.size() >= max_limits) {
    limits_.erase(std::min_element(limits_.begin(), limits_.end(),
                                   [](const Limit& a, const Limit& b) { return a.until < b.until; }));
  }
  limits_.push_back(std::move(limit));
  return true;
}

bool Limits::note(const relay::RateLimit& limit, const Label& label, Time now) {
  if (limit.categories.empty() && !limit.all) return false;
  if (limit.until <= now) return false;
  auto categories = limit.categories;
  std::sort(categories.begin(), categories.end());
  return add({label.project, printable(limit.scope, 20), bound(limit.scope, label.target), std::move(categories),
              printable(limit.reason, 100), std::min(limit.until, now + longest)});
}

std::optional<Time> Limits::waits_until(const Label& label, Time now) const {
  std::optional<Time> until;
  for (const Limit& limit : limits_) {
    if (limit.until <= now || limit.target != bound(limit.scope, label.target)) continue;
    const bool hit = limit.categories.empty() ||
                     std::any_of(label.decisive.begin(), label.decisive.end(), [&](DataCategory category) {
                       return std::any_of(limit.categories.begin(), limit.categories.end(),
                                          [&](DataCategory limited) { return covers(limited, category); });
                     });
    if (hit) until = std::max(until.value_or(limit.until), limit.until);
  }
  return until;
}

std::optional<Time> Limits::all_until(const Target& target, Time now) const {
  std::optional<Time> until;
  for (const Limit& limit : limits_) {
    if (limit.until <= now || !limit.categories.empty()) continue;
    if (limit.target == bound(limit.scope, target)) until = std::max(until.value_or(limit.until), limit.until);
  }
  return until;
}

std::optional<Time> Limits::last_until(Time now) const {
  std::optional<Time> until;
  for (const Limit& limit : limits_) {
    if (limit.until > now) until = std::max(until.value_or(limit.until), limit.until);
  }
  return until;
}

bool Limits::expire(Time now) {
  return std::erase_if(limits_, [&](const Limit& limit) { return limit.until <= now; }) > 0;
}

void Limits::load(const schema::Destination& row, Time now) {
  limits_.clear();
  for (const schema::RateLimitRow& stored : row.limits()) {
    auto categories = parse_categories(stored.categories());
    // Written by a newer version that knows categories we do not: it says nothing to us.
    if (categories.empty() && !stored.categories().empty()) continue;
    add({stored.project(), stored.scope(), stored.target(), std::move(categories), stored.reason(),
         std::min(time_from_ms(stored.until_ms()), now + longest)});
  }
}

void Limits::store(schema::Destination& row) const {
  row.clear_limits();
  for (const Limit& limit : limits_) {
    schema::RateLimitRow& stored = *row.add_limits();
    stored.set_project(limit.project);
    stored.set_scope(limit.scope);
    stored.set_target(limit.target);
    stored.set_categories(render_categories(limit.categories));
    stored.set_reason(limit.reason);
    stored.set_until_ms(to_ms(limit.until));
  }
}

}  // namespace picket::upstream
