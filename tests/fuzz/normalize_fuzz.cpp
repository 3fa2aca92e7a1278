// Normalisation: whatever comes, the result is bounded JSON that normalises to the same again in what
// the digest reads, and the digest reads the same from what came and from what was made of it.

#include "api/digest/derived_tags.h"
#include "api/digest/grouping.h"
#include "api/digest/normalize.h"
#include "api/digest/title.h"
#include "fuzz/invariant.h"

#include <string>

namespace picket::digest {

using fuzz::check;

namespace {

std::string facts(std::string_view payload, const EventSource& source) {
  auto event = parse_event(payload);
  check(static_cast<bool>(event), "what normalises is read by the digest");
  settle(*event, source);
  const auto title = title_of(*event);
  std::string all(wire_name(event->type));
  for (const auto part : {wire_name(event->level_or_default()), std::string_view(title.title), std::string_view(title.culprit), event->release, event->environment}) {
    all.append(1, '\n').append(part);
  }
  for (const auto& hash : hashes_of(*event)) all += render_hash(hash);
  TextArena arena;
  for (const auto& tag : tags_of(*event, arena)) {
    if (tag.key == "user") all.append(tag.value);
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto payload = fuzz::as_text(bytes, size);
  EventSource source{.item_type = "event", .remote_address = "203.0.113.9", .sent_at_ms = 0, .received_ms = 1'700'000'000'000};
  if (size % 7 == 1) source.item_type = "transaction";
  if (size % 5 == 1) source.sent_at_ms = 1'699'000'000'000;
  const auto made = normalize(payload, source, nullptr);
  if (!made) {
    check(!parse_event(payload), "what does not normalise is not read by the digest");
    return 0;
  }
  const auto text = boost::json::serialize(made->event);
  source.sent_at_ms = 0;
  check(static_cast<bool>(normalize(text, source, nullptr)), "what was made normalises");
  check(facts(payload, source) == facts(text, source), "the digest reads the same from both");
  return 0;
}

}  // namespace picket::digest
