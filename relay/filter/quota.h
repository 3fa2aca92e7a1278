// Quotas: how much of which categories may come in a window of time, and the window's arithmetic.
//
// Rules come from the configuration ([[quota]]), from a project's option `picket:quotas`
//   [{"id": "errors", "categories": ["error"], "limit": 1000, "window": 60,
//     "scope": "organization" | "project" | "key", "reasonCode": "project_quota"}]
// from a key's rate limit, and from spike protection.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"
#include "relay/protocol/data_category.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::filter {

enum class Scope : std::uint8_t { organization, project, key };
std::string_view wire_name(Scope scope);

struct Quota {
  std::string id;  // of the counter, together with what the scope means; unique among a project's
  Scope scope = Scope::project;
  std::vector<relay::DataCategory> categories;  // empty: all
  std::uint64_t limit = 0;                      // 0: nothing at all
  std::chrono::seconds window{60};
  std::string reason;  // Sentry's reason code

  bool covers(relay::DataCategory category) const;
};

constexpr std::size_t most_quotas = 50;  // of one project

// Categories by wire name; "" or "*" alone for all. Fault::malformed names the word.
Result<std::vector<relay::DataCategory>> parse_categories(const std::vector<std::string>& names);
Result<Scope> parse_scope(std::string_view name);
// The JSON above. Fault::malformed says which quota and why.
Result<std::vector<Quota>> parse_quotas(std::string_view json);

// What was counted in the last `window`, to a tenth of it. Never less than what really came in any
// window: the tenth that is only half within counts whole.
class SlidingWindow {
 public:
  explicit SlidingWindow(std::chrono::seconds window);

  std::uint64_t used(Time now);
  void add(Time now, std::uint64_t quantity);
  // How long until `quantity` more fit under `limit`, 0 when they do now; when they never do, until
  // all that was counted is forgotten.
  Duration wait(Time now, std::uint64_t quantity, std::uint64_t limit);

 private:
  static constexpr std::size_t slots = 11;  // ten tenths, and the one that is going
  void advance(Time now);

  Duration slot_;
  std::int64_t newest_ = 0;  // number of the newest slot since the epoch
  std::array<std::uint64_t, slots> counts_{};
};

}  // namespace picket::filter
