#include "api/digest/replay_items.h"

#include "relay/protocol/content_encoding.h"

#include <cstdint>
#include <optional>

namespace picket::digest {
namespace {

// The few forms of msgpack that a map of byte strings takes
// (https://github.com/msgpack/msgpack/blob/master/spec.md).
class MsgpackMap {
 public:
  explicit MsgpackMap(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::uint64_t> open() {
    const auto lead = u8();
    if (!lead) return std::nullopt;
    if ((*lead & 0xf0) == 0x80) return *lead & 0x0f;
    if (*lead == 0xde) return number(2);
    if (*lead == 0xdf) return number(4);
    return std::nullopt;
  }

  // A string or a byte string.
  std::optional<std::string_view> bytes() {
    const auto lead = u8();
    if (!lead) return std::nullopt;
    std::optional<std::uint64_t> length;
    if ((*lead & 0xe0) == 0xa0) length = *lead & 0x1f;
    if (*lead == 0xc4 || *lead == 0xd9) length = number(1);
    if (*lead == 0xc5 || *lead == 0xda) length = number(2);
    if (*lead == 0xc6 || *lead == 0xdb) length = number(4);
    if (!length || *length > rest_.size()) return std::nullopt;
    const auto taken = rest_.substr(0, static_cast<std::size_t>(*length));
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::optional<unsigned> u8() {
    if (rest_.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  std::optional<std::uint64_t> number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto byte = u8();
      if (!byte) return std::nullopt;
      value = value << 8 | *byte;
    }
    return value;
  }
  std::string_view rest_;
};

}  // namespace

ReplayVideo split_replay_video(std::string_view msgpack) {
  ReplayVideo video;
  MsgpackMap map(msgpack);
  const auto entries = map.open();
  for (std::uint64_t i = 0; entries && i < *entries && i < 16; ++i) {
    const auto key = map.bytes();
    const auto value = key ? map.bytes() : std::nullopt;
    if (!value) break;
    if (*key == "replay_event") video.event = *value;
    if (*key == "replay_recording") video.recording = *value;
    if (*key == "replay_video") video.video = *value;
  }
  return video;
}

Result<std::string> recording_json(std::string_view recording, std::size_t max_bytes) {
  const auto line = recording.find('\n');
  if (line == std::string_view::npos) return Error{Fault::malformed, "a recording without header"};
  const auto body = recording.substr(line + 1);
  const auto start = body.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return std::string("[]");
  if (body[start] == '[' || body[start] == '{') return std::string(body);
  const bool gzip = body.starts_with("\x1f\x8b");
  return relay::decode(body, gzip ? relay::Coding::gzip : relay::Coding::deflate, max_bytes);
}

}  // namespace picket::digest
