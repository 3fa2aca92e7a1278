// One destination's link: whether something may leave now, how fast, and how much of it.
//
// INVARIANT  What is under way ends, whatever begins meanwhile: a window that closes and a link that
//            becomes metered stop what has not begun.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "upstream/byte_budget.h"
#include "upstream/byte_rate.h"
#include "upstream/drain_estimate.h"
#include "upstream/link_config.h"
#include "upstream/link_status.h"
#include "upstream/schedule.h"
#include "upstream/send_class.h"

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace picket::upstream {

class Link {
 public:
  using Steady = std::chrono::steady_clock;
  // REQUIRES: problem_of(config) is empty.
  explicit Link(const LinkConfig& config);

  void load(const schema::LinkState& row, Time now);
  void store(schema::LinkState& row, bool last);
  void on_written();
  // Whether store() has something to say.
  bool dirty() const { return dirty_ || day_.wants_grant(reserved_ + wanted_) || month_.wants_grant(reserved_ + wanted_); }

  // What the world looks like; every moment or so. `wire` is read now when anything is capped.
  void look(Time now, Steady::time_point steady, const WireBytes& wire, bool anything_under_way);
  void set_metered(bool by_file, bool by_signal);

  // For how long nothing may begin; nothing when it may. `unsent` bytes of requests under way are left.
  std::optional<Duration> wait(Time now, Steady::time_point steady, std::uint64_t unsent) const;
  // Whether anything is capped: bytes have to be counted.
  bool capped() const { return rate_.capped() || day_.capped() || month_.capped(); }
  // Whether some classes may not begin now.
  bool restricted() const { return metered_; }
  // Whether the order of arrival gives way to that of the classes; and that, all of them.
  bool by_class() const { return by_class_; }
  const std::vector<SendClass>& order() const { return order_; }
  const std::bitset<send_classes.size()>& newest_first() const { return newest_first_; }
  bool allows(SendClass send_class) const { return !metered_ || metered_classes_.test(static_cast<std::size_t>(send_class)); }

  // Why what arrived, and happened, that long ago is not sent any more.
  enum class Expiry { none, outlived, too_old };
  Expiry expiry(SendClass send_class, Duration since_arrival, Duration since_happened) const;
  // Whether expiry() needs to know what the payload says.
  bool judges_by_payload(SendClass send_class) const { return payload_age_limit_[static_cast<std::size_t>(send_class)] < Duration::max(); }

  // When `waiting` records will be gone.
  std::optional<Time> drained_at(Time now, std::uint64_t waiting, const DrainRate& rate) const;

  // A request of `bytes` wants to leave. `later`: not before next_period() of as many. `soon`: once the grant is written.
  enum class Admission { go, soon, later };
  Admission admit(std::uint64_t bytes, Steady::time_point steady);
  Time next_period(std::uint64_t bytes, Time now) const;
  // It has left, its head at once; it has ended: its bytes stay reserved until look() has seen what it took.
  void begin(std::uint64_t bytes, std::uint64_t head_bytes, Steady::time_point steady);
  void end(std::uint64_t bytes) { ended_ += bytes; }

  // Bodies: how many bytes may be handed over.
  bool paced() const { return rate_.capped(); }
  std::uint64_t take(std::uint64_t wanted, Steady::time_point now);
  Duration ready_in(Steady::time_point now) const { return rate_.ready_in(now); }

  LinkStatus status() const;

 private:
  void look_at_schedule(Time now);
  void say(std::string waits, std::optional<Time> until);

  const std::uint64_t bytes_per_second_;
  const Schedule schedule_;
  const bool heeds_signal_;
  std::bitset<send_classes.size()> metered_classes_;
  std::bitset<send_classes.size()> newest_first_;
  const bool by_class_;
  std::vector<SendClass> order_;
  std::array<Duration, send_classes.size()> time_to_live_;
  std::array<Duration, send_classes.size()> age_limit_;          // since arrival
  std::array<Duration, send_classes.size()> payload_age_limit_;  // since what it tells of
  ByteRate rate_;
  ByteBudget day_;
  ByteBudget month_;
  bool metered_ = false;
  bool dirty_ = false;
  std::uint64_t reserved_ = 0;   // of requests under way, heads included, and of those that have ended since look()
  std::uint64_t ended_ = 0;      // of these the latter
  std::uint64_t wanted_ = 0;     // by the last request that came too soon
  Steady::time_point not_before_{};  // then
  std::uint64_t handed_ = 0;     // to libcurl
  WireBytes wire_;               // as seen last
  std::optional<Time> shut_until_;  // now: by a window or a budget
  Time schedule_from_{};         // open_ is true of [from, until)
  Time schedule_until_{};
  bool open_ = true;
  std::string waits_;
  std::optional<Time> waits_until_;
};

}  // namespace picket::upstream
