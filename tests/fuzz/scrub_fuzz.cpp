// Scrubbing: whatever the settings and the payload, JSON stays JSON, a second time changes nothing,
// and attachments keep their length.
//
//   input := type ' ' advanced configuration '\n' payload
//   type := 'e' event, 's' span, 'l' log, 'r' replay_event, 'p' profile, 'c' security report, 'a'
//   attachment, 't' attachment of a trace (up to a zero byte what it says of itself),
//   'h' view hierarchy, 'o' replay_recording, 'v' replay_video;
//           in upper case also with IP addresses, sensitive and safe fields

#include "fuzz/invariant.h"
#include "relay/protocol/json_index.h"
#include "relay/protocol/json_repair.h"
#include "relay/protocol/recording.h"
#include "relay/scrub/scrubber.h"

#include <algorithm>

namespace picket::scrub {

using fuzz::check;

namespace {

std::string type_of(char letter) {
  switch (letter | 0x20) {
    case 's': return "span";
    case 'l': return "log";
    case 'r': return "replay_event";
    case 'p': return "profile";
    case 'c': return "raw_security";
    case 'a':
    case 'h':
    case 't': return "attachment";
    case 'o': return "replay_recording";
    case 'v': return "replay_video";
    default: return "event";
  }
}

Settings settings_of(bool more) {
  Settings settings;
  if (!more) return settings;
  settings.scrub_ip_addresses = true;
  settings.sensitive_fields = {"zip", "x", "\xC3\xA4"};
  settings.safe_fields = {"keep.**", "odd!"};
  return settings;
}

// A wrong configuration is taken away, and the other settings stay; their rules are made once, as
// making them takes longer than most payloads.
Scrubber scrubber_of(bool more, std::string_view& advanced) {
  static const auto plain = *Scrubber::make(settings_of(false));
  static const auto full = *Scrubber::make(settings_of(true));
  if (advanced.empty()) return more ? full : plain;
  auto settings = settings_of(more);
  settings.pii_config_json = advanced;
  auto made = Scrubber::make(settings);
  if (made) return *std::move(made);
  check(!made.error().detail.empty(), "an error has words");
  advanced = {};
  return more ? full : plain;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto input = fuzz::as_text(bytes, size);
  const auto line = input.find('\n');
  if (line == std::string_view::npos || line == 0) return 0;
  const bool more = (input[0] & 0x20) == 0;
  auto advanced = line < 2 ? std::string_view() : input.substr(2, line - 2);
  const auto scrubber = scrubber_of(more, advanced);

  relay::Item item;
  item.type = type_of(input[0]);
  item.header = R"({"filename":"a.log"})";
  item.payload = input.substr(line + 1);
  if ((input[0] | 0x20) == 'h') item.attachment_type = "event.view_hierarchy";
  if ((input[0] | 0x20) == 't') {
    item.content_type = "application/vnd.sentry.trace-attachment";
    item.meta_length = std::min(item.payload.find('\0'), item.payload.size());
  }
  const auto once = scrubber.scrub(item);
  if (!once) return 0;
  if (const auto parts = relay::split_trace_attachment(item)) {
    const auto changed = relay::with_payload(item, *once);
    const auto changed_parts = relay::split_trace_attachment(changed);
    check(changed_parts && changed_parts->body.size() == parts->body.size(), "a body keeps its length");
    check(changed_parts->meta == parts->meta || relay::is_json(changed_parts->meta), "JSON stays JSON");
    if (advanced.empty()) check(!scrubber.scrub(changed), "a second time changes nothing");
    return 0;
  }
  if (item.type == "attachment" && item.attachment_type.empty()) {
    check(once->size() == item.payload.size(), "an attachment keeps its length");
    return 0;
  }
  if (item.type == "replay_recording") {
    check(once->substr(0, once->find('\n')) == item.payload.substr(0, item.payload.find('\n')), "a recording keeps its header");
  } else if (item.type == "replay_video") {
    check(relay::split_replay_video(*once).video == relay::split_replay_video(item.payload).video, "a film stays");
  } else if (advanced.empty() || item.type != "attachment") {  // a rule for files may be for any byte of them
    check(relay::is_json(item.payload) || relay::is_json(relay::repair_json(item.payload)), "only JSON changes");
    check(relay::is_json(*once), "JSON stays JSON");
  }
  if (!advanced.empty()) return 0;  // a pattern may match what it put there
  item.payload = *once;
  check(!scrubber.scrub(item), "a second time changes nothing");
  return 0;
}

}  // namespace picket::scrub
