#include "bench/load/body_pool.h"

#include "bench/load/event_maker.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>

namespace picket::load {
namespace {

constexpr std::uint64_t most_families = 250;
// The front and gzip's own bytes.
constexpr std::size_t front_bytes = 430;

std::string deflate_raw(std::string_view bytes) {
  z_stream stream{};
  constexpr int raw = -15;
  if (deflateInit2(&stream, 6, Z_DEFLATED, raw, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

uLong crc_of(std::string_view bytes) {
  return crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
}

void put_little_endian(char* out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    out[i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

// Decimal with leading zeros.
void append_padded(std::string& out, std::uint64_t value, int digits) {
  const auto start = out.size();
  out.append(static_cast<std::size_t>(digits), '0');
  for (auto at = out.size(); at > start && value != 0; value /= 10)
    out[--at] = static_cast<char>('0' + value % 10);
}

// Grows the parts together until a body has about the wanted size.
EventShape find_shape(std::size_t gzip_bytes, std::uint64_t seed) {
  EventShape shape;
  for (unsigned step = 0; step < 400; ++step) {
    EventShape next;
    next.frames = 6 + step;
    next.variables = 2 + step / 6;
    next.breadcrumbs = 4 + 2 * step;
    next.frames = std::min(next.frames, 60U);
    next.breadcrumbs = std::min(next.breadcrumbs, 100U);
    next.variables = std::min(next.variables, 40U);
    EventMaker maker(seed);
    if (deflate_raw(maker.make_tail(1, next)).size() + front_bytes > gzip_bytes) break;
    shape = next;
  }
  return shape;
}

}  // namespace

BodyPool::BodyPool(const PoolOptions& options) : options_(options), random_(options.seed) {
  families_ = std::clamp<std::uint64_t>(options.issues, 1, most_families);
  variants_ = std::max<std::uint64_t>(1, options.bodies / families_);
  const auto shape = find_shape(options.gzip_bytes, options.seed);
  EventMaker maker(options.seed);
  tails_.reserve(families_ * variants_);
  for (std::uint64_t family = 0; family < families_; ++family) {
    for (std::uint64_t variant = 0; variant < variants_; ++variant) {
      const auto json = maker.make_tail(family, shape) + "\n";
      Tail tail;
      tail.bytes = json.size();
      tail.crc = crc_of(json);
      tail.combine = crc32_combine_gen(static_cast<z_off_t>(json.size()));
      tail.deflated = deflate_raw(json);
      mean_gzip_bytes_ += static_cast<double>(tail.deflated.size());
      mean_json_bytes_ += static_cast<double>(json.size());
      tails_.push_back(std::move(tail));
    }
  }
  const auto count = static_cast<double>(tails_.size());
  GzipBody body;
  next(0, body);
  mean_gzip_bytes_ =
      mean_gzip_bytes_ / count + static_cast<double>(body.front.size() + body.trailer.size());
  mean_json_bytes_ = mean_json_bytes_ / count + static_cast<double>(text_.size());
}

void BodyPool::append_hex(std::string& out, std::uint64_t value, int digits) {
  for (int i = 0; i < digits; ++i, value >>= 4)
    out += "0123456789abcdef"[value & 0xf];
}

void BodyPool::next(std::int64_t now_ms, GzipBody& body) {
  const auto issue = random_() % options_.issues;
  const auto& tail = tails_[(issue % families_) * variants_ + random_() % variants_];
  const auto high = random_();
  const auto low = random_();
  const auto user = random_() % options_.users;

  // The event's own front first, to know its length; all of its parts have fixed widths.
  std::string event = R"({"event_id":")";
  append_hex(event, high, 16);
  append_hex(event, low, 16);
  event += R"(","timestamp":)";
  append_padded(event, static_cast<std::uint64_t>(now_ms / 1000), 10);
  event += '.';
  append_padded(event, static_cast<std::uint64_t>(now_ms % 1000), 3);
  event += R"(,"user":{"id":")";
  append_padded(event, user, 7);
  event += R"(","ip_address":"10.1.)";
  event += std::to_string(user / 250 % 250) + "." + std::to_string(user % 250);
  event += R"("},"exception":{"values":[{"type":"ShopError)";
  append_padded(event, issue, 6);
  event += '"';

  text_ = R"({"event_id":")";
  append_hex(text_, high, 16);
  append_hex(text_, low, 16);
  text_ += R"(","sent_at":")";
  const auto seconds = static_cast<std::time_t>(now_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> stamp{};
  text_.append(stamp.data(), std::strftime(stamp.data(), stamp.size(), "%Y-%m-%dT%H:%M:%S.", &utc));
  append_padded(text_, static_cast<std::uint64_t>(now_ms % 1000), 3);
  text_ += "Z\"}\n{\"type\":\"event\",\"content_type\":\"application/json\",\"length\":";
  text_ += std::to_string(event.size() + tail.bytes - 1);
  text_ += "}\n";
  text_ += event;

  body.front.assign("\x1f\x8b\x08\0\0\0\0\0\0\x03\0",
                    11);  // gzip header, then a stored block that is not the last
  std::array<char, 4> lengths{};
  put_little_endian(lengths.data(), text_.size(), 2);
  put_little_endian(lengths.data() + 2, ~text_.size() & 0xffff, 2);
  body.front.append(lengths.data(), lengths.size());
  body.front += text_;
  body.tail = tail.deflated;
  const auto crc = crc32_combine_op(crc_of(text_), tail.crc, tail.combine);
  put_little_endian(body.trailer.data(), crc, 4);
  put_little_endian(body.trailer.data() + 4, text_.size() + tail.bytes, 4);
}

}  // namespace picket::load
