// A pool of compressed events, each sent many times as a different one: what must differ (ids,
// time, user, the exception's type) stands in front, in a stored block of the same gzip member.
//
//   gzip header │ stored block: envelope header, item header, {"event_id":…,"type":"…"
//               │ deflated blocks: the rest of the event, made once
//               │ CRC of both (combined), length
//
// A request costs its generator the CRC of the front, some 400 bytes: the measured machine shall
// measure Picket.
#pragma once

#include <zlib.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace picket::load {

struct PoolOptions {
  std::size_t gzip_bytes = 3 * 1024;  // of one body, about
  std::uint64_t issues = 1000;
  std::uint64_t users = 5000;
  std::size_t bodies = 2000;
  std::uint64_t seed = 1;
};

// One request's body in three pieces; `tail` points into the pool.
struct GzipBody {
  std::string front;
  std::string_view tail;
  std::array<char, 8> trailer{};
  std::size_t size() const { return front.size() + tail.size() + trailer.size(); }
};

class BodyPool {
 public:
  explicit BodyPool(const PoolOptions& options);

  // The next event, of the time given. `body` is reused to spare allocations.
  void next(std::int64_t now_ms, GzipBody& body);

  double mean_gzip_bytes() const { return mean_gzip_bytes_; }
  double mean_json_bytes() const { return mean_json_bytes_; }

 private:
  struct Tail {
    std::string deflated;
    std::size_t bytes = 0;  // before deflating
    uLong crc = 0;
    uLong combine = 0;  // zlib's operator for appending `bytes` bytes
  };
  void append_hex(std::string& out, std::uint64_t value, int digits);

  const PoolOptions options_;
  std::uint64_t families_ = 1;
  std::uint64_t variants_ = 1;
  std::vector<Tail> tails_;  // family * variants_ + variant
  std::mt19937_64 random_;
  std::string text_;  // of the stored block
  double mean_gzip_bytes_ = 0;
  double mean_json_bytes_ = 0;
};

}  // namespace picket::load
