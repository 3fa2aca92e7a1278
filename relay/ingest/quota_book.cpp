#include "relay/ingest/quota_book.h"

#include "relay/ingest/project_settings.h"

#include <algorithm>

namespace picket::ingest {
namespace {

using filter::Quota;
using filter::Scope;

// A limit of nothing at all is told for this long at a time.
constexpr std::chrono::seconds nothing_at_all{60};

std::string name_of(const Quota& quota, const Sender& sender) {
  std::string name;
  switch (quota.scope) {
    case Scope::organization:
      name = "o" + std::to_string(sender.settings->organization);
      break;
    case Scope::project: name = "p" + std::to_string(sender.project); break;
    case Scope::key: name = "k" + sender.key.hex; break;
  }
  return name + '/' + quota.id;
}

// How much of `asked` counts under the quota; nothing when it covers none of it.
std::optional<std::uint64_t> quantity_under(const Quota& quota, std::span<const Asked> asked) {
  if (quota.categories.empty()) return asked.empty() ? 0 : std::min<std::uint64_t>(asked[0].quantity, 1);
  for (const auto& one : asked) {
    if (quota.covers(one.category)) return one.quantity;
  }
  return std::nullopt;
}

relay::RateLimit limit_of(const Quota& quota, Time until) {
  relay::RateLimit limit;
  limit.categories = quota.categories;
  limit.all = quota.categories.empty();
  limit.scope = filter::wire_name(quota.scope);
  limit.reason = quota.reason;
  limit.until = until;
  return limit;
}

template <class Visit>
void each_quota(const Sender& sender, const Visit& visit) {
  if (sender.key_quota) visit(*sender.key_quota);
  for (const auto& quota : sender.settings->quotas)
    visit(quota);
}

}  // namespace

QuotaBook::Counter& QuotaBook::counter(const Quota& quota, const Sender& sender, Time now) {
  const auto name = name_of(quota, sender);
  auto found = counters_.find(name);
  if (found != counters_.end() && found->second.length != quota.window) {
    counters_.erase(found);
    found = counters_.end();
  }
  if (found == counters_.end()) found = counters_.emplace(name, Counter(quota.window)).first;
  found->second.touched = now;
  return found->second;
}

std::optional<relay::RateLimit> QuotaBook::admit(const Sender& sender,
                                                 std::span<const Asked> asked,
                                                 Time now) {
  struct Charge {
    Counter* counter;
    std::uint64_t quantity;
  };
  std::vector<Charge> charges;
  std::optional<relay::RateLimit> refused;
  const auto refuse = [&refused](const Quota& quota, Time until) {
    if (!refused || refused->until < until) refused = limit_of(quota, until);
  };
  const std::lock_guard lock(mutex_);
  each_quota(sender, [&](const Quota& quota) {
    const auto quantity = quantity_under(quota, asked);
    if (!quantity) return;
    if (quota.limit == 0) return refuse(quota, now + nothing_at_all);
    auto& one = counter(quota, sender, now);
    const auto wait = one.window.wait(now, *quantity, quota.limit);
    if (wait > Duration(0)) {
      one.blocked_until = std::max(one.blocked_until, now + wait);
      return refuse(quota, now + wait);
    }
    charges.push_back({&one, *quantity});
  });
  if (refused) return refused;
  for (const auto& charge : charges)
    charge.counter->window.add(now, charge.quantity);
  return std::nullopt;
}

std::vector<relay::RateLimit> QuotaBook::active(const Sender& sender, Time now) {
  std::vector<relay::RateLimit> limits;
  const std::lock_guard lock(mutex_);
  each_quota(sender, [&](const Quota& quota) {
    if (quota.limit == 0) return limits.push_back(limit_of(quota, now + nothing_at_all));
    const auto found = counters_.find(name_of(quota, sender));
    if (found == counters_.end() || found->second.blocked_until <= now) return;
    // A limit that was raised meanwhile holds nobody back.
    const auto wait = found->second.window.wait(now, 1, quota.limit);
    if (wait > Duration(0)) limits.push_back(limit_of(quota, now + wait));
  });
  return limits;
}

bool QuotaBook::fill_reservoir(relay::ProjectId project, std::uint32_t rule, std::uint64_t limit) {
  const std::lock_guard lock(mutex_);
  if (reservoirs_.size() >= most_reservoirs && !reservoirs_.contains({project, rule})) return false;
  auto& count = reservoirs_[{project, rule}];
  if (count >= limit) return false;
  ++count;
  return true;
}

void QuotaBook::forget_idle(Time now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(counters_, [now](const auto& entry) {
    return now - entry.second.touched > 2 * entry.second.length;
  });
}

std::size_t QuotaBook::size() const {
  const std::lock_guard lock(mutex_);
  return counters_.size();
}

}  // namespace picket::ingest
