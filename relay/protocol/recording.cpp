#include "relay/protocol/recording.h"

#include <cstdint>
#include <utility>

namespace picket::relay {
namespace {

constexpr std::uint64_t most_entries = 16;

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

  std::string_view rest() const { return rest_; }

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

// Calls visit(key, value) for the entries of the map, as far as they are bytes.
template <class Visit>
void each_entry(std::string_view msgpack, Visit visit) {
  MsgpackMap map(msgpack);
  const auto entries = map.open();
  for (std::uint64_t i = 0; entries && i < *entries && i < most_entries; ++i) {
    const auto key = map.bytes();
    const auto before = map.rest();
    const auto value = key ? map.bytes() : std::nullopt;
    if (!value) return;
    visit(*key, before, *value);
  }
}

// The same kind as before: bytes stay bytes, a string stays one.
void append_bytes(std::string& out, char lead_before, std::string_view value) {
  const auto before = static_cast<unsigned char>(lead_before);
  const bool binary = before >= 0xc4 && before <= 0xc6;
  const std::size_t width = value.size() <= 0xff ? 1 : value.size() <= 0xffff ? 2 : 4;
  const unsigned step = width == 1 ? 0 : width == 2 ? 1 : 2;
  out += static_cast<char>((binary ? 0xc4U : 0xd9U) + step);
  for (std::size_t i = width; i > 0; --i) out += static_cast<char>(value.size() >> 8 * (i - 1) & 0xff);
  out += value;
}

}  // namespace

ReplayVideo split_replay_video(std::string_view msgpack) {
  ReplayVideo video;
  each_entry(msgpack, [&](std::string_view key, std::string_view, std::string_view value) {
    if (key == "replay_event") video.event = value;
    if (key == "replay_recording") video.recording = value;
    if (key == "replay_video") video.video = value;
  });
  return video;
}

std::optional<std::string> rewrite_replay_video(std::string_view msgpack, const RewritePart& rewrite) {
  std::string out;
  std::size_t copied = 0;
  each_entry(msgpack, [&](std::string_view key, std::string_view before, std::string_view value) {
    const auto changed = rewrite(key, value);
    if (!changed) return;
    const auto lead = msgpack.size() - before.size();
    out += msgpack.substr(copied, lead - copied);
    append_bytes(out, before.front(), *changed);
    copied = static_cast<std::size_t>(value.data() + value.size() - msgpack.data());
  });
  if (copied == 0) return std::nullopt;
  out += msgpack.substr(copied);
  return out;
}

Result<Recording> split_recording(std::string_view recording) {
  const auto line = recording.find('\n');
  if (line == std::string_view::npos) return Error{Fault::malformed, "a recording without header"};
  Recording parts{recording.substr(0, line + 1), recording.substr(line + 1), Coding::identity};
  const auto start = parts.body.find_first_not_of(" \t\r\n");
  const bool plain = start == std::string_view::npos || parts.body[start] == '[' || parts.body[start] == '{';
  if (!plain) parts.coding = parts.body.starts_with("\x1f\x8b") ? Coding::gzip : Coding::deflate;
  return parts;
}

Result<std::string> recording_json(std::string_view recording, std::size_t max_bytes) {
  const auto parts = split_recording(recording);
  if (!parts) return parts.error();
  if (parts->coding != Coding::identity) return decode(parts->body, parts->coding, max_bytes);
  if (parts->body.find_first_not_of(" \t\r\n") == std::string_view::npos) return std::string("[]");
  return std::string(parts->body);
}

}  // namespace picket::relay
