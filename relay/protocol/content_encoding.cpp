#include "relay/protocol/content_encoding.h"

#include <brotli/decode.h>
#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <optional>
#include <span>

namespace picket::relay {
namespace {

// How one try at decoding into a buffer of a chosen size ended.
enum class Ending : std::uint8_t { done, full, damaged, truncated, trailing, window };
struct Attempt {
  Ending ending = Ending::damaged;
  std::size_t bytes = 0;  // of output, when done
};

// --- gzip and zlib ---

using Decompressor =
    std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>;
using Compressor = std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)>;

template <class Handle>
Handle owned(Handle handle) {
  if (!handle) throw std::bad_alloc();
  return handle;
}

libdeflate_decompressor* thread_decompressor() {
  thread_local const auto decompressor =
      owned(Decompressor(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor));
  return decompressor.get();
}

// One member or stream, whole. Much faster than zlib, but it can neither continue nor go on to a
// second member: those are left to inflate_stream().
std::optional<Attempt> inflate_at_once(std::string_view in, Coding coding, std::span<char> out) {
  std::size_t in_bytes = 0;
  std::size_t out_bytes = 0;
  auto* const decompressor = thread_decompressor();
  const auto result =
      coding == Coding::gzip
          ? libdeflate_gzip_decompress_ex(decompressor, in.data(), in.size(), out.data(),
                                          out.size(), &in_bytes, &out_bytes)
          : libdeflate_zlib_decompress_ex(decompressor, in.data(), in.size(), out.data(),
                                          out.size(), &in_bytes, &out_bytes);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return Attempt{Ending::full, 0};
  if (result != LIBDEFLATE_SUCCESS || in_bytes != in.size()) return std::nullopt;
  return Attempt{Ending::done, out_bytes};
}

class InflateStream {
 public:
  InflateStream() {
    if (inflateInit2(&stream_, gzip_window) != Z_OK) throw std::bad_alloc();
  }
  ~InflateStream() { inflateEnd(&stream_); }
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  z_stream& restart(Coding coding) {
    inflateReset2(&stream_, coding == Coding::gzip ? gzip_window : zlib_window);
    return stream_;
  }

 private:
  static constexpr int zlib_window = 15;
  static constexpr int gzip_window = 15 + 16;
  z_stream stream_{};
};

// zlib counts in 32 bits.
uInt step(std::size_t bytes) {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::size_t{1} << 30));
}

Attempt inflate_member(z_stream& stream, std::string_view& in, std::span<char>& out) {
  const auto available = out.size();
  for (;;) {
    const auto in_step = step(in.size());
    const auto out_step = step(out.size());
    stream.next_in =
        reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));  // never written by zlib
    stream.avail_in = in_step;
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = out_step;
    const int result = inflate(&stream, Z_NO_FLUSH);
    in.remove_prefix(in_step - stream.avail_in);
    out = out.subspan(out_step - stream.avail_out);
    if (result == Z_STREAM_END) return {Ending::done, available - out.size()};
    if (result != Z_OK && result != Z_BUF_ERROR) return {Ending::damaged, 0};
    if (out.empty()) return {Ending::full, 0};
    if (in.empty()) return {Ending::truncated, 0};
  }
}

Attempt inflate_stream(std::string_view in, Coding coding, std::span<char> out) {
  thread_local InflateStream stream;
  std::size_t bytes = 0;
  for (;;) {
    const auto member = inflate_member(stream.restart(coding), in, out);
    if (member.ending != Ending::done) return member;
    bytes += member.bytes;
    if (coding == Coding::gzip && in.find_first_not_of('\0') == std::string_view::npos)
      in = {};  // padding
    if (in.empty()) return {Ending::done, bytes};
    if (coding != Coding::gzip || in.front() != '\x1f') return {Ending::trailing, 0};
    if (out.empty()) return {Ending::full, 0};
  }
}

Attempt decode_deflated(std::string_view in, Coding coding, std::span<char> out) {
  const auto at_once = inflate_at_once(in, coding, out);
  return at_once ? *at_once : inflate_stream(in, coding, out);
}

// --- brotli ---

Attempt decode_brotli(std::string_view in, std::span<char> out) {
  using State = std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)>;
  const auto state = owned(
      State(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), &BrotliDecoderDestroyInstance));
  auto in_left = in.size();
  auto out_left = out.size();
  const auto* next_in = reinterpret_cast<const std::uint8_t*>(in.data());
  auto* next_out = reinterpret_cast<std::uint8_t*>(out.data());
  const auto result =
      BrotliDecoderDecompressStream(state.get(), &in_left, &next_in, &out_left, &next_out, nullptr);
  switch (result) {
    case BROTLI_DECODER_RESULT_ERROR: return {Ending::damaged, 0};
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return {Ending::truncated, 0};
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return {Ending::full, 0};
    case BROTLI_DECODER_RESULT_SUCCESS: break;
  }
  if (in_left > 0) return {Ending::trailing, 0};
  return {Ending::done, out.size() - out_left};
}

// --- zstd ---

// The window that RFC 9659 allows for this coding, and the most that a frame can make us allocate.
constexpr int zstd_window_log = 23;

using ZstdDecoder = std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)>;
using ZstdEncoder = std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)>;

ZstdEncoder& thread_zstd_encoder() {
  thread_local ZstdEncoder encoder(nullptr, &ZSTD_freeCCtx);
  return encoder;
}

ZSTD_DCtx* thread_zstd_decoder() {
  thread_local const auto decoder = [] {
    auto made = owned(ZstdDecoder(ZSTD_createDCtx(), &ZSTD_freeDCtx));
    ZSTD_DCtx_setParameter(made.get(), ZSTD_d_windowLogMax, zstd_window_log);
    return made;
  }();
  return decoder.get();
}

Attempt decode_zstd(std::string_view in, std::span<char> out) {
  auto* const decoder = thread_zstd_decoder();
  ZSTD_DCtx_reset(decoder, ZSTD_reset_session_only);
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  for (;;) {
    const auto in_before = input.pos;
    const auto out_before = output.pos;
    const auto left = ZSTD_decompressStream(decoder, &output, &input);
    if (ZSTD_isError(left) != 0) return {Ending::damaged, 0};
    const bool all_read = input.pos == input.size;
    if (left == 0 && all_read) return {Ending::done, output.pos};
    if (output.pos == output.size) return {Ending::full, 0};
    if (input.pos == in_before && output.pos == out_before) return {Ending::truncated, 0};
  }
}

// --- any ---

Attempt attempt(std::string_view in, Coding coding, std::span<char> out) {
  switch (coding) {
    case Coding::gzip:
    case Coding::deflate: return decode_deflated(in, coding, out);
    case Coding::br: return decode_brotli(in, out);
    case Coding::zstd: return decode_zstd(in, out);
    case Coding::identity: break;
  }
  std::abort();
}

// What the input says about its size, believed as far as an honest sender's ratio goes.
constexpr std::size_t least_room = 4096;
std::size_t likely_bytes(std::string_view in, Coding coding) {
  const auto believable = std::max(least_room, in.size() * 40);
  if (coding == Coding::gzip && in.size() >= 4) {
    std::size_t claimed = 0;
    for (std::size_t i = 4; i > 0; --i)
      claimed = claimed << 8 | static_cast<unsigned char>(in[in.size() - 5 + i]);
    if (claimed <= believable) return claimed;
  }
  if (coding == Coding::zstd) {
    const auto claimed = ZSTD_getFrameContentSize(in.data(), in.size());
    if (claimed <= believable) return claimed;  // both error values are huge
  }
  return std::max(least_room, in.size() * 8);
}

std::string_view coding_name(Coding coding) {
  switch (coding) {
    case Coding::identity: return "identity";
    case Coding::gzip: return "gzip";
    case Coding::deflate: return "deflate";
    case Coding::br: return "br";
    case Coding::zstd: return "zstd";
  }
  std::abort();
}

Error too_large(std::size_t max_bytes) {
  return Error{Fault::too_large,
               "decompressed body exceeds " + std::to_string(max_bytes) + " bytes"};
}

Error damage(Coding coding, Ending ending) {
  std::string detail = "invalid " + std::string(coding_name(coding)) + " body: ";
  if (ending == Ending::truncated) {
    detail += "unexpected end of file";
  } else if (ending == Ending::trailing) {
    detail += "unexpected bytes after the end";
  } else {
    detail += "damaged data";
  }
  return Error{Fault::malformed, std::move(detail)};
}

// Cuts the spare room off when most of the allocation is spare.
void trim_capacity(std::string& text) {
  if (text.capacity() > 2 * text.size() + 64) text.shrink_to_fit();
}

}  // namespace

Result<std::vector<Coding>> parse_content_encoding(std::string_view header) {
  constexpr std::size_t most_codings = 4;  // each multiplies the work that a small body can demand
  std::vector<Coding> codings;
  while (!header.empty()) {
    const auto end = std::min(header.find(','), header.size());
    auto word = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    const auto first = std::min(word.find_first_not_of(" \t"), word.size());
    word = word.substr(first, word.find_last_not_of(" \t") + 1 - first);
    std::string name(word);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (name.empty() || name == "identity" || name == "utf-8") continue;
    if (name == "gzip" || name == "x-gzip") {
      codings.push_back(Coding::gzip);
    } else if (name == "deflate") {
      codings.push_back(Coding::deflate);
    } else if (name == "br") {
      codings.push_back(Coding::br);
    } else if (name == "zstd") {
      codings.push_back(Coding::zstd);
    } else {
      return Error{Fault::malformed,
                   "unsupported content encoding: expected gzip, deflate, br or zstd"};
    }
    if (codings.size() > most_codings)
      return Error{Fault::malformed, "more than 4 content encodings"};
  }
  return codings;
}

// Tries with the likely size first, then with four times as much until the limit is reached: a
// buffer that grew instead would have to exist twice while it is copied.
Result<std::string> decode(std::string_view bytes, Coding coding, std::size_t max_bytes) {
  if (coding == Coding::identity) {
    if (bytes.size() > max_bytes) return too_large(max_bytes);
    return std::string(bytes);
  }
  if (bytes.empty()) return damage(coding, Ending::truncated);
  auto room = std::min(likely_bytes(bytes, coding), max_bytes);
  for (;;) {
    // One byte more than wanted tells "exactly full" from "too much".
    std::string out(room + 1, '\0');
    const auto result = attempt(bytes, coding, out);
    const bool full =
        result.ending == Ending::full || (result.ending == Ending::done && result.bytes > room);
    if (!full && result.ending != Ending::done) return damage(coding, result.ending);
    if (!full) {
      out.resize(result.bytes);
      return out;
    }
    if (room == max_bytes) return too_large(max_bytes);
    room = std::min(room > max_bytes / 4 ? max_bytes : std::max(room * 4, least_room), max_bytes);
  }
}

Result<std::string> decode(std::string_view bytes,
                           const std::vector<Coding>& codings,
                           std::size_t max_bytes) {
  if (codings.empty()) return decode(bytes, Coding::identity, max_bytes);
  auto decoded = decode(bytes, codings.back(), max_bytes);
  for (auto coding = codings.rbegin() + 1; decoded && coding != codings.rend(); ++coding) {
    decoded = decode(*decoded, *coding, max_bytes);
  }
  return decoded;
}

std::string encode_zstd(std::string_view bytes, int level) {
  auto& encoder = thread_zstd_encoder();
  if (!encoder) encoder = owned(ZstdEncoder(ZSTD_createCCtx(), &ZSTD_freeCCtx));
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const auto size =
      ZSTD_compressCCtx(encoder.get(), out.data(), out.size(), bytes.data(), bytes.size(), level);
  if (ZSTD_isError(size) != 0)
    throw std::bad_alloc();  // the only failure left with room for the bound
  out.resize(size);
  trim_capacity(out);
  return out;
}

void free_zstd_encoder() {
  thread_zstd_encoder().reset();
}

std::string encode_gzip(std::string_view bytes, int level) {
  constexpr int best = 12;
  thread_local std::array<std::optional<Compressor>, best + 1> compressors;
  const auto wanted = std::clamp(level, 0, best);
  auto& compressor = compressors[static_cast<std::size_t>(wanted)];
  if (!compressor)
    compressor =
        owned(Compressor(libdeflate_alloc_compressor(wanted), &libdeflate_free_compressor));
  std::string out(libdeflate_gzip_compress_bound(compressor->get(), bytes.size()), '\0');
  const auto size = libdeflate_gzip_compress(compressor->get(), bytes.data(), bytes.size(),
                                             out.data(), out.size());
  out.resize(size);
  trim_capacity(out);
  return out;
}

}  // namespace picket::relay
