// Why a request is not taken: the answer, and the words under which it is counted.
#pragma once

#include "relay/http/message.h"
#include "relay/filter/quota.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/dsn.h"
#include "relay/protocol/rate_limits.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

struct ProjectSettings;

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
  // As they were when the request came; none: nothing is limited, filtered or scrubbed.
  std::shared_ptr<const ProjectSettings> settings;
  std::shared_ptr<const filter::Quota> key_quota;  // none: the key has no limit of its own
};

// Items that are left out of an envelope whose others are kept.
struct DroppedItems {
  ItemCount items;
  relay::Outcome outcome = relay::Outcome::invalid;
  std::string reason;  // Sentry's word
};

struct Refusal {
  unsigned status = 400;
  std::string detail;
  std::string cause;
  std::string reason;  // Sentry's word for the outcome
  relay::Outcome outcome = relay::Outcome::invalid;
  // Empty: the body was not understood, which counts as one item of the category `unknown`.
  std::vector<ItemCount> items;
  std::vector<DroppedItems> dropped;  // beside `items`, with reasons of their own
  // On whose account; none: nobody's that exists, counted in the metrics only.
  std::optional<Sender> sender;
  // What a 429 says of how long, when it is about limits and not about the disk.
  std::vector<relay::RateLimit> limits;
  // What the refused items were made of and will not be again.
  std::vector<std::string> uploads;
  // Said in place of the error, by endpoints that never say 429.
  std::optional<http::Response> answer;
};

// Without items and sender: of a body that was not understood, or not read.
Refusal make_refusal(unsigned status,
                     std::string_view detail,
                     std::string_view cause,
                     std::string_view reason);

}  // namespace picket::ingest
