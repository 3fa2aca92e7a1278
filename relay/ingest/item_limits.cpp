#include "relay/ingest/item_limits.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace picket::ingest {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t max_client_reports_bytes = 4 * kib;
constexpr std::uint64_t max_check_in_bytes = 100 * kib;
constexpr std::uint64_t max_container_bytes = 12 * mib;
constexpr std::uint64_t max_sessions = 100;

enum class Group { events, attachments, client_reports, sessions, single };

struct Kind {
  std::string_view type;
  Group group;
  std::uint64_t max_bytes;  // of each (of each entry on average, in containers); groups have a sum
};

// Types not listed here are bounded by the envelope alone. A config field decides where 0 stands.
constexpr std::array kinds{
    Kind{"event", Group::events, 0},
    Kind{"transaction", Group::events, 0},
    Kind{"attachment", Group::attachments, 0},
    Kind{"session", Group::sessions, 0},
    Kind{"sessions", Group::sessions, 0},
    Kind{"client_report", Group::client_reports, 0},
    Kind{"log", Group::single, mib},
    Kind{"span", Group::single, 10 * mib},
    Kind{"trace_metric", Group::single, mib},
    Kind{"check_in", Group::single, max_check_in_bytes},
    Kind{"profile", Group::single, 0},
    Kind{"profile_chunk", Group::single, 0},
    Kind{"profile_chunk_ui", Group::single, 0},
    Kind{"replay_event", Group::events, 0},
    Kind{"replay_recording", Group::single, 0},
    Kind{"replay_video", Group::single, 0},
    Kind{"feedback", Group::events, 0},
    Kind{"statsd", Group::single, mib},
    Kind{"metric_buckets", Group::single, mib},
    Kind{"security", Group::events, 0},
    Kind{"raw_security", Group::events, 0},
    Kind{"nel", Group::events, 0},
    Kind{"form_data", Group::events, 0},
    Kind{"unreal_report", Group::attachments, 0},
};

const Kind* find_kind(std::string_view type) {
  const auto* found =
      std::find_if(kinds.begin(), kinds.end(), [&](const Kind& kind) { return kind.type == type; });
  return found == kinds.end() ? nullptr : found;
}

bool is_container(const relay::Item& item) {
  return item.content_type.starts_with("application/vnd.sentry.items.");
}

bool exceeds_single(const relay::Item& item, const Kind& kind, const IngestConfig& config) {
  auto max_bytes = kind.max_bytes;
  if (kind.type.starts_with("profile")) max_bytes = config.max_profile_bytes;
  if (kind.type.starts_with("replay")) max_bytes = config.max_replay_bytes;
  const std::uint64_t size = item.payload.size();
  if (!is_container(item)) return size > max_bytes;
  return size > max_container_bytes || size / std::max(item.item_count, 1U) > max_bytes;
}

}  // namespace

std::vector<ItemCount> count_items(const relay::Envelope& envelope) {
  std::vector<ItemCount> counts;
  for (const auto& item : envelope.items) {
    const auto category = relay::category_of(item);
    const auto found = std::find_if(counts.begin(), counts.end(), [&](const ItemCount& count) {
      return count.category == category;
    });
    if (found == counts.end()) {
      counts.push_back({category, item.item_count});
    } else {
      found->quantity += item.item_count;
    }
  }
  return counts;
}

std::string_view find_exceeded_limit(const relay::Envelope& envelope, const IngestConfig& config) {
  std::uint64_t events = 0;
  std::uint64_t attachments = 0;
  std::uint64_t client_reports = 0;
  std::uint64_t sessions = 0;
  for (const auto& item : envelope.items) {
    const auto* kind = find_kind(item.type);
    if (kind == nullptr) continue;
    switch (kind->group) {
      case Group::events: events += item.payload.size(); break;
      case Group::attachments: attachments += item.payload.size(); break;
      case Group::client_reports: client_reports += item.payload.size(); break;
      case Group::sessions: ++sessions; break;
      case Group::single:
        if (exceeds_single(item, *kind, config)) return kind->type;
        break;
    }
    if (events > config.max_event_bytes) return kind->type;
    if (attachments > config.max_attachment_bytes) return kind->type;
    if (client_reports > max_client_reports_bytes) return kind->type;
    if (sessions > max_sessions) return kind->type;
  }
  return {};
}

bool is_internal(const relay::Item& item) {
  return item.type == "integration";
}

}  // namespace picket::ingest
