// Why a request is not taken: the answer, and the words under which it is counted.
#pragma once

#include "relay/protocol/data_category.h"
#include "relay/protocol/dsn.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace picket::ingest {

// Items of one category. `quantity` is what quotas count: the entries of a container item, else 1.
struct ItemCount {
  relay::DataCategory category = relay::DataCategory::unknown;
  std::uint64_t quantity = 0;
};

// Who sends, as far as the project directory knows it: never made from what a request claims alone.
struct Sender {
  relay::ProjectKey key;
  relay::ProjectId project = 0;
  std::string client;  // sentry_client, as claimed
};

struct Refusal {
  unsigned status = 400;
  std::string detail;
  std::string cause;
  std::string reason;  // Sentry's word for the outcome
  relay::Outcome outcome = relay::Outcome::invalid;
  // Empty: the body was not understood, which counts as one item of the category `unknown`.
  std::vector<ItemCount> items;
  // On whose account; none: nobody's that exists, counted in the metrics only.
  std::optional<Sender> sender;
};

}  // namespace picket::ingest
