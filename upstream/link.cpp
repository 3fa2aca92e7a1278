#include "upstream/link.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace picket::upstream {
namespace {

// Between two looks at a grant that is being written, and at requests that use up what is left.
constexpr Duration soon_again = std::chrono::milliseconds(20);
// Of requests under way may be left to send; more would only wait beside each other.
constexpr std::uint64_t least_unsent_bytes = 4'096;

TimeZone link_zone(const LinkConfig& config) {
  return TimeZone::find(config.time_zone).value_or(TimeZone());
}

Schedule link_schedule(const LinkConfig& config) {
  auto schedule = Schedule::parse(config.windows, link_zone(config));
  if (!schedule) std::abort();
  return *std::move(schedule);
}

}  // namespace

Link::Link(const LinkConfig& config)
    : bytes_per_second_(config.max_bytes_per_second),
      schedule_(link_schedule(config)),
      heeds_signal_(config.metered_signal),
      by_class_(!config.priority.empty() || !config.newest_first.empty()),
      rate_(config.max_bytes_per_second),
      day_(ByteBudget::Period::day, config.max_bytes_per_day, link_zone(config)),
      month_(ByteBudget::Period::month, config.max_bytes_per_month, link_zone(config)) {
  time_to_live_.fill(Duration::max());
  age_limit_.fill(Duration::max());
  payload_age_limit_.fill(Duration::max());
  for (const auto& [name, duration] : config.time_to_live) time_to_live_[static_cast<std::size_t>(*parse_send_class(name))] = *parse_duration(duration);
  if (config.age_limits == "sentry") {
    // https://develop.sentry.dev/: what Relay's defaults take. An error is never refused for its age, but
    // after 30 days it is dated anew: not for what an SDK says, whose clock may stand at 1970.
    age_limit_[static_cast<std::size_t>(SendClass::errors)] = std::chrono::hours(24 * 30);
    payload_age_limit_[static_cast<std::size_t>(SendClass::sessions)] = std::chrono::hours(24 * 5);
    payload_age_limit_[static_cast<std::size_t>(SendClass::transactions)] = std::chrono::hours(24 * 5);
  }
  for (const std::string& name : config.metered_classes) metered_classes_.set(static_cast<std::size_t>(*parse_send_class(name)));
  for (const std::string& name : config.newest_first) newest_first_.set(static_cast<std::size_t>(*parse_send_class(name)));
  for (const std::string& name : config.priority) order_.push_back(*parse_send_class(name));
  for (const SendClass one : send_classes) {
    if (std::find(order_.begin(), order_.end(), one) == order_.end()) order_.push_back(one);
  }
}

void Link::load(const schema::LinkState& row, Time now) {
  day_.load(row.day(), row.day_bytes(), now);
  month_.load(row.month(), row.month_bytes(), now);
  waits_ = row.waits();
}

void Link::store(schema::LinkState& row, bool last) {
  row.set_day(day_.period());
  row.set_day_bytes(day_.store(reserved_ + wanted_, last));
  row.set_day_cap(day_.cap());
  row.set_month(month_.period());
  row.set_month_bytes(month_.store(reserved_ + wanted_, last));
  row.set_month_cap(month_.cap());
  row.set_waits(waits_);
  row.set_waits_until_ms(waits_until_ ? to_ms(*waits_until_) : 0);
  dirty_ = false;
}

void Link::on_written() {
  day_.on_written();
  month_.on_written();
}

void Link::look_at_schedule(Time now) {
  if (now >= schedule_from_ && now < schedule_until_) return;
  open_ = schedule_.open_at(now);
  schedule_from_ = now;
  schedule_until_ = schedule_.next_change(now);
}

void Link::look(Time now, Steady::time_point steady, const WireBytes& wire, bool anything_under_way) {
  const auto moved = (wire.sent - std::min(wire.sent, wire_.sent)) + (wire.received - std::min(wire.received, wire_.received));
  wire_ = {std::max(wire.sent, wire_.sent), std::max(wire.received, wire_.received)};
  for (ByteBudget* budget : {&day_, &month_}) {
    budget->roll(now);
    budget->spend(moved);
  }
  reserved_ -= std::exchange(ended_, 0);
  if (wire.sent > handed_) {
    rate_.charge(wire.sent - handed_, steady);
    handed_ = wire.sent;
  }
  if (!anything_under_way) handed_ = wire.sent;
  look_at_schedule(now);
  if (!open_) return say("outside its windows", schedule_until_);
  if (month_.used_up(0)) return say("the month's bytes are used up", month_.next_period(now));
  if (day_.used_up(0)) return say("the day's bytes are used up", day_.next_period(now));
  say(metered_ ? "metered" : "", std::nullopt);
}

void Link::set_metered(bool by_file, bool by_signal) {
  metered_ = by_file || (by_signal && heeds_signal_);
}

void Link::say(std::string waits, std::optional<Time> until) {
  dirty_ = dirty_ || waits != waits_ || until != waits_until_;
  waits_ = std::move(waits);
  waits_until_ = until;
}

std::optional<Duration> Link::wait(Time now, Steady::time_point steady, std::uint64_t unsent) const {
  if (waits_until_) return std::clamp<Duration>(*waits_until_ - now, Duration(1), std::chrono::hours(1));
  if (steady < not_before_) return std::chrono::ceil<Duration>(not_before_ - steady);
  if (!paced()) return std::nullopt;
  if (unsent >= std::max(bytes_per_second_, least_unsent_bytes)) return std::max(ready_in(steady), soon_again);
  if (const auto left = ready_in(steady); left > Duration(0)) return left;
  return std::nullopt;
}

Link::Expiry Link::expiry(SendClass send_class, Duration since_arrival, Duration since_happened) const {
  const auto index = static_cast<std::size_t>(send_class);
  if (since_arrival > time_to_live_[index]) return Expiry::outlived;
  return since_arrival > age_limit_[index] || since_happened > payload_age_limit_[index] ? Expiry::too_old : Expiry::none;
}

std::optional<Time> Link::drained_at(Time now, std::uint64_t waiting, const DrainRate& rate) const {
  if (metered_ && waiting > 0) return std::nullopt;  // some of it for as long as that lasts
  return estimate_drained(now, waiting, rate, schedule_, day_, month_);
}

Link::Admission Link::admit(std::uint64_t bytes, Steady::time_point steady) {
  if (!day_.fits(bytes, 0) || !month_.fits(bytes, 0)) return Admission::later;
  const bool goes = day_.fits(bytes, reserved_) && month_.fits(bytes, reserved_) && day_.granted(bytes, reserved_) &&
                    month_.granted(bytes, reserved_);
  wanted_ = goes ? 0 : bytes;
  if (goes) return Admission::go;
  not_before_ = steady + soon_again;
  return Admission::soon;
}

Time Link::next_period(std::uint64_t bytes, Time now) const {
  return !month_.fits(bytes, 0) ? month_.next_period(now) : day_.next_period(now);
}

void Link::begin(std::uint64_t bytes, std::uint64_t head_bytes, Steady::time_point steady) {
  reserved_ += bytes;
  handed_ += head_bytes;
  rate_.charge(head_bytes, steady);
}

std::uint64_t Link::take(std::uint64_t wanted, Steady::time_point now) {
  const auto taken = rate_.take(wanted, now);
  handed_ += taken;
  return taken;
}

LinkStatus Link::status() const {
  LinkStatus status;
  status.waits = waits_;
  status.waits_until = waits_until_;
  status.metered = metered_;
  status.outside = !open_;
  status.wire = wire_;
  status.day_bytes = day_.spent();
  status.day_cap = day_.cap();
  status.month_bytes = month_.spent();
  status.month_cap = month_.cap();
  return status;
}

}  // namespace picket::upstream
