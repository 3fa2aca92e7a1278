#include "relay/protocol/msgpack.h"

#include "relay/protocol/json_repair.h"
#include "relay/protocol/json_object.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace picket::relay {
namespace {

constexpr std::size_t most_depth = 64;

class Reader {
 public:
  Reader(std::string_view bytes, std::size_t max_json_bytes)
      : bytes_(bytes), max_json_bytes_(max_json_bytes) {}

  bool value(std::size_t depth) {
    if (json_.size() > max_json_bytes_) return fail(Fault::too_large, "msgpack: too large");
    if (bytes_.empty()) return fail(Fault::malformed, "msgpack: cut short");
    const auto tag = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    if (tag <= 0x7f) return put(std::uint64_t{tag});
    if (tag <= 0x8f) return map(tag & 0x0fU, depth);
    if (tag <= 0x9f) return array(tag & 0x0fU, depth);
    if (tag <= 0xbf) return text(tag & 0x1fU);
    if (tag >= 0xe0) return put(static_cast<std::int64_t>(static_cast<std::int8_t>(tag)));
    switch (tag) {
      case 0xc0: return put("null");
      case 0xc2: return put("false");
      case 0xc3: return put("true");
      case 0xc4: return sized(1) && skip(size_);
      case 0xc5: return sized(2) && skip(size_);
      case 0xc6: return sized(4) && skip(size_);
      case 0xc7: return sized(1) && skip(size_ + 1);
      case 0xc8: return sized(2) && skip(size_ + 1);
      case 0xc9: return sized(4) && skip(size_ + 1);
      case 0xca: return sized(4) && put(double{std::bit_cast<float>(static_cast<std::uint32_t>(size_))});
      case 0xcb: return sized(8) && put(std::bit_cast<double>(size_));
      case 0xcc: return sized(1) && put(size_);
      case 0xcd: return sized(2) && put(size_);
      case 0xce: return sized(4) && put(size_);
      case 0xcf: return sized(8) && put(size_);
      case 0xd0: return sized(1) && put(std::int64_t{static_cast<std::int8_t>(size_)});
      case 0xd1: return sized(2) && put(std::int64_t{static_cast<std::int16_t>(size_)});
      case 0xd2: return sized(4) && put(std::int64_t{static_cast<std::int32_t>(size_)});
      case 0xd3: return sized(8) && put(static_cast<std::int64_t>(size_));
      case 0xd4: return skip(2);
      case 0xd5: return skip(3);
      case 0xd6: return skip(5);
      case 0xd7: return skip(9);
      case 0xd8: return skip(17);
      case 0xd9: return sized(1) && text(size_);
      case 0xda: return sized(2) && text(size_);
      case 0xdb: return sized(4) && text(size_);
      case 0xdc: return sized(2) && array(size_, depth);
      case 0xdd: return sized(4) && array(size_, depth);
      case 0xde: return sized(2) && map(size_, depth);
      case 0xdf: return sized(4) && map(size_, depth);
      default: return fail(Fault::malformed, "msgpack: unknown type");
    }
  }

  std::string_view rest() const { return bytes_; }
  std::string take() { return std::move(json_); }
  const Error& error() const { return error_; }

 private:
  bool fail(Fault fault, const char* why) {
    error_ = {fault, why};
    return false;
  }

  bool put(std::string_view json) {
    json_ += json;
    return true;
  }
  template <class Number>
  bool put_number(Number number) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return put(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }
  bool put(const char* json) { return put(std::string_view(json)); }
  bool put(std::uint64_t number) { return put_number(number); }
  bool put(std::int64_t number) { return put_number(number); }
  bool put(double number) { return std::isfinite(number) ? put_number(number) : put("null"); }

  // A big-endian number of so many bytes, into size_.
  bool sized(std::size_t count) {
    if (bytes_.size() < count) return fail(Fault::malformed, "msgpack: cut short");
    size_ = 0;
    for (const char c : bytes_.substr(0, count)) size_ = size_ << 8 | static_cast<unsigned char>(c);
    bytes_.remove_prefix(count);
    return true;
  }

  bool skip(std::uint64_t count) {
    if (bytes_.size() < count) return fail(Fault::malformed, "msgpack: cut short");
    bytes_.remove_prefix(count);
    return put("null");
  }

  bool text(std::uint64_t count) {
    if (bytes_.size() < count) return fail(Fault::malformed, "msgpack: cut short");
    json_ += render_json_string(repair_utf8(bytes_.substr(0, count)));
    bytes_.remove_prefix(count);
    return true;
  }

  bool enter(std::uint64_t count, std::size_t depth) {
    if (depth >= most_depth) return fail(Fault::malformed, "msgpack: nested too deeply");
    return count <= bytes_.size() || fail(Fault::malformed, "msgpack: cut short");
  }

  bool array(std::uint64_t count, std::size_t depth) {
    if (!enter(count, depth)) return false;
    json_ += '[';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0) json_ += ',';
      if (!value(depth + 1)) return false;
    }
    return put("]");
  }

  bool map(std::uint64_t count, std::size_t depth) {
    if (!enter(count, depth)) return false;
    json_ += '{';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0) json_ += ',';
      const auto key_at = json_.size();
      if (!value(depth + 1)) return false;
      if (json_[key_at] == '{' || json_[key_at] == '[') {
        return fail(Fault::malformed, "msgpack: a key is no word");
      }
      if (json_[key_at] != '"') json_.insert(key_at, 1, '"') += '"';
      json_ += ':';
      if (!value(depth + 1)) return false;
    }
    return put("}");
  }

  std::string_view bytes_;
  const std::size_t max_json_bytes_;
  std::string json_;
  std::uint64_t size_ = 0;
  Error error_;
};

}  // namespace

Result<std::string> read_msgpack(std::string_view& bytes, std::size_t max_json_bytes) {
  Reader reader(bytes, max_json_bytes);
  if (!reader.value(0)) return reader.error();
  bytes = reader.rest();
  return reader.take();
}

std::vector<std::string> read_msgpack_stream(std::string_view bytes, std::size_t max_json_bytes) {
  std::vector<std::string> values;
  while (!bytes.empty()) {
    auto value = read_msgpack(bytes, max_json_bytes);
    if (!value || value->size() > max_json_bytes) break;
    max_json_bytes -= value->size();
    values.push_back(*std::move(value));
  }
  return values;
}

}  // namespace picket::relay
