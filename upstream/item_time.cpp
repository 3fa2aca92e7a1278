#include "upstream/item_time.h"

#include "relay/protocol/json_object.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace picket::upstream {
namespace {

using relay::JsonMember;
using relay::JsonObjectReader;

std::optional<std::int64_t> read_time(const JsonMember& member) {
  return member.is_string() ? relay::parse_timestamp(relay::unescape_json(member.raw_text())) : relay::parse_timestamp(member.value);
}

void take_later(std::optional<std::int64_t>& newest, std::optional<std::int64_t> ms) {
  if (ms) newest = std::max(newest.value_or(*ms), *ms);
}

std::optional<std::int64_t> member_time(std::string_view object, std::string_view name) {
  std::optional<std::int64_t> ms;
  JsonObjectReader reader(object);
  while (const auto member = reader.next()) {
    if (member->named(name)) ms = read_time(*member);
  }
  return ms;
}

// Of the objects in the list `list` the newest `name`.
std::optional<std::int64_t> newest_entry(std::string_view object, std::string_view list, std::string_view name) {
  std::optional<std::int64_t> newest;
  JsonObjectReader reader(object);
  while (const auto member = reader.next()) {
    if (!member->named(list) || member->value.front() != '[') continue;
    const auto entries = JsonObjectReader::split_array(member->value, SIZE_MAX);
    if (!entries) continue;
    for (const std::string_view entry : *entries) take_later(newest, member_time(entry, name));
  }
  return newest;
}

std::optional<std::int64_t> time_of(const relay::Item& item) {
  if (item.type == "transaction") return member_time(item.payload, "timestamp");
  if (item.type == "session") return member_time(item.payload, "started");
  if (item.type == "sessions") return newest_entry(item.payload, "aggregates", "started");
  if (item.type != "span") return std::nullopt;
  if (item.content_type.starts_with("application/vnd.sentry.items.")) return newest_entry(item.payload, "items", "end_timestamp");
  return member_time(item.payload, "timestamp");
}

}  // namespace

std::optional<Time> find_newest_time(const relay::Envelope& envelope, const std::vector<bool>& kept) {
  std::optional<std::int64_t> newest;
  for (std::size_t i = 0; i < envelope.items.size(); ++i) {
    if (kept.empty() || (i < kept.size() && kept[i])) take_later(newest, time_of(envelope.items[i]));
  }
  if (!newest) return std::nullopt;
  return time_from_ms(*newest);
}

Time time_by_our_clock(Time by_sender, std::optional<Time> sent_at, Time received) {
  const Duration off = sent_at ? received - *sent_at : Duration(0);
  const bool drifted = off >= clock_drift || off <= -clock_drift;
  return std::min(drifted ? by_sender + off : by_sender, received);
}

}  // namespace picket::upstream
