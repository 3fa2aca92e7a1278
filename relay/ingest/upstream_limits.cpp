#include "relay/ingest/upstream_limits.h"

#include "buffer/rows.h"
#include "buffer/schema/rows.pb.h"

#include <string_view>
#include <utility>

namespace picket::ingest {
namespace {

// The row's limit as SDKs are told; none when it names only categories of a newer version.
std::vector<relay::RateLimit> passed_limit(const schema::RateLimitRow& row) {
  relay::RateLimit limit;
  limit.scope = row.scope();
  limit.reason = "upstream";
  limit.until = time_from_ms(row.until_ms());
  limit.all = row.categories().empty();
  std::string_view names = row.categories();
  while (!names.empty()) {
    const auto end = names.find(';');
    if (const auto category = relay::parse_data_category(names.substr(0, end))) limit.categories.push_back(*category);
    names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
  }
  if (!limit.all && limit.categories.empty()) return {};
  return {std::move(limit)};
}

}  // namespace

void UpstreamLimits::refresh() {
  const std::lock_guard one_at_a_time(refreshing_);
  auto limits = std::make_shared<ByProject>();
  const auto snapshot = tables_.snapshot();
  auto cursor = snapshot.cursor(buffer::Table::destinations);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const auto row = buffer::parse_row<schema::Destination>(cursor.value());
    if (row.link().limits_passed() == 0) continue;
    const bool one_target = row.link().limits_passed() == 2;
    for (const auto& limit : row.limits()) {
      // "held" is a destination's own pause: nothing that an SDK could do better.
      if (limit.reason() == "held") continue;
      auto& list = (*limits)[one_target || limit.scope() == "organization" ? 0 : limit.project()];
      for (auto& passed : passed_limit(limit)) list.push_back(std::move(passed));
    }
  }
  const std::lock_guard lock(mutex_);
  any_ = !limits->empty();
  limits_ = limits->empty() ? nullptr : std::move(limits);
}

std::vector<relay::RateLimit> UpstreamLimits::of(relay::ProjectId project, Time now) const {
  if (!any_) return {};
  std::shared_ptr<const ByProject> limits;
  {
    const std::lock_guard lock(mutex_);
    limits = limits_;
  }
  std::vector<relay::RateLimit> found;
  if (!limits) return found;
  for (const auto key : {relay::ProjectId{0}, project}) {
    const auto list = limits->find(key);
    if (list == limits->end()) continue;
    for (const auto& limit : list->second) {
      if (limit.until > now) found.push_back(limit);
    }
  }
  return found;
}

}  // namespace picket::ingest
