#include "relay/protocol/content_stream.h"

#include <brotli/decode.h>
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>

namespace picket::relay {
namespace {

constexpr std::size_t piece_bytes = std::size_t{256} << 10;
constexpr std::uint64_t file_memory_bytes = std::uint64_t{68} << 20;
constexpr int content_window_log = 23;  // RFC 9659
constexpr int file_window_log = 26;

// One compressed stream, taken in pieces.
class StreamDecoder {
 public:
  enum class State : std::uint8_t { more, done, damaged };
  struct Step {
    State state = State::more;
    std::size_t bytes = 0;  // of output
  };
  virtual ~StreamDecoder() = default;
  // Takes from `in` what it has used; `more` without progress means that the input is cut short.
  virtual Step step(std::string_view& in, std::span<char> out) = 0;

 protected:
  StreamDecoder() = default;
  StreamDecoder(const StreamDecoder&) = delete;
  StreamDecoder& operator=(const StreamDecoder&) = delete;
};

using State = StreamDecoder::State;

// The libraries' inputs are not const and count in 32 bits.
template <class Byte>
Byte* input(std::string_view in) {
  return reinterpret_cast<Byte*>(const_cast<char*>(in.data()));
}
unsigned most(std::size_t bytes) {
  return static_cast<unsigned>(std::min<std::size_t>(bytes, std::size_t{1} << 30));
}

class ZlibDecoder final : public StreamDecoder {
 public:
  explicit ZlibDecoder(bool gzip) : gzip_(gzip) {
    if (inflateInit2(&stream_, gzip ? 15 + 16 : 15) != Z_OK) throw std::bad_alloc();
  }
  ~ZlibDecoder() override { inflateEnd(&stream_); }

  Step step(std::string_view& in, std::span<char> out) override {
    const auto in_bytes = most(in.size());
    stream_.next_in = input<Bytef>(in);
    stream_.avail_in = in_bytes;
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = most(out.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(in_bytes - stream_.avail_in);
    const auto bytes = out.size() - stream_.avail_out;
    if (result == Z_STREAM_END) return {next_member(in), bytes};
    return {result == Z_OK || result == Z_BUF_ERROR ? State::more : State::damaged, bytes};
  }

 private:
  State next_member(std::string_view& in) {
    if (!gzip_) return State::done;
    if (in.find_first_not_of('\0') == std::string_view::npos) in = {};  // padding
    if (in.empty() || in.front() != '\x1f') return State::done;
    inflateReset(&stream_);
    return State::more;
  }

  const bool gzip_;
  z_stream stream_{};
};

class BrotliDecoder final : public StreamDecoder {
 public:
  BrotliDecoder() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) throw std::bad_alloc();
  }
  ~BrotliDecoder() override { BrotliDecoderDestroyInstance(state_); }

  Step step(std::string_view& in, std::span<char> out) override {
    auto in_left = in.size();
    auto out_left = out.size();
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(out.data());
    const auto result =
        BrotliDecoderDecompressStream(state_, &in_left, &next_in, &out_left, &next_out, nullptr);
    in.remove_prefix(in.size() - in_left);
    const auto bytes = out.size() - out_left;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return {State::done, bytes};
    return {result == BROTLI_DECODER_RESULT_ERROR ? State::damaged : State::more, bytes};
  }

 private:
  BrotliDecoderState* state_;
};

class ZstdDecoder final : public StreamDecoder {
 public:
  explicit ZstdDecoder(int window_log) : context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log);
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  Step step(std::string_view& in, std::span<char> out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const auto left = ZSTD_decompressStream(context_, &to, &from);
    in.remove_prefix(from.pos);
    if (ZSTD_isError(left) != 0) return {State::damaged, 0};
    return {left == 0 && in.empty() ? State::done : State::more, to.pos};
  }

 private:
  ZSTD_DCtx* context_;
};

class XzDecoder final : public StreamDecoder {
 public:
  XzDecoder() {
    if (lzma_stream_decoder(&stream_, file_memory_bytes, LZMA_CONCATENATED) != LZMA_OK)
      throw std::bad_alloc();
  }
  ~XzDecoder() override { lzma_end(&stream_); }

  Step step(std::string_view& in, std::span<char> out) override {
    stream_.next_in = input<const std::uint8_t>(in);
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    const auto result = lzma_code(&stream_, LZMA_FINISH);
    in.remove_prefix(in.size() - stream_.avail_in);
    const auto bytes = out.size() - stream_.avail_out;
    if (result == LZMA_STREAM_END) return {State::done, bytes};
    return {result == LZMA_OK || result == LZMA_BUF_ERROR ? State::more : State::damaged, bytes};
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

class Bzip2Decoder final : public StreamDecoder {
 public:
  Bzip2Decoder() { open(); }
  ~Bzip2Decoder() override { BZ2_bzDecompressEnd(&stream_); }

  Step step(std::string_view& in, std::span<char> out) override {
    const auto in_bytes = most(in.size());
    stream_.next_in = input<char>(in);
    stream_.avail_in = in_bytes;
    stream_.next_out = out.data();
    stream_.avail_out = most(out.size());
    const int result = BZ2_bzDecompress(&stream_);
    in.remove_prefix(in_bytes - stream_.avail_in);
    const auto bytes = out.size() - stream_.avail_out;
    if (result == BZ_OK) return {State::more, bytes};
    if (result != BZ_STREAM_END) return {State::damaged, bytes};
    if (!in.starts_with("BZh")) return {State::done, bytes};
    BZ2_bzDecompressEnd(&stream_);
    open();
    return {State::more, bytes};
  }

 private:
  void open() {
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  bz_stream stream_{};
};

std::unique_ptr<StreamDecoder> make_decoder(Coding coding) {
  switch (coding) {
    case Coding::gzip: return std::make_unique<ZlibDecoder>(true);
    case Coding::deflate: return std::make_unique<ZlibDecoder>(false);
    case Coding::br: return std::make_unique<BrotliDecoder>();
    case Coding::zstd: return std::make_unique<ZstdDecoder>(content_window_log);
    case Coding::identity: break;
  }
  return nullptr;
}

std::unique_ptr<StreamDecoder> make_file_decoder(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\x1f\x8b"sv)) return std::make_unique<ZlibDecoder>(true);
  if (bytes.starts_with("\xfd\x37zXZ\0"sv)) return std::make_unique<XzDecoder>();
  if (bytes.starts_with("BZh"sv)) return std::make_unique<Bzip2Decoder>();
  if (bytes.starts_with("\x28\xb5\x2f\xfd"sv)) return std::make_unique<ZstdDecoder>(file_window_log);
  return nullptr;
}

Error too_large(std::size_t max_bytes) {
  return {Fault::too_large, "decompressed body exceeds " + std::to_string(max_bytes) + " bytes"};
}

Result<Bytes> decode_all(StreamDecoder& decoder,
                         std::string_view in,
                         std::size_t max_bytes,
                         const Room& room) {
  buffer::BytesBuilder builder(room);
  const auto piece = std::make_unique<char[]>(piece_bytes);
  for (;;) {
    const auto in_before = in.size();
    const auto step = decoder.step(in, {piece.get(), piece_bytes});
    if (step.state == State::damaged) return Error{Fault::malformed, "invalid compressed data"};
    if (step.bytes > max_bytes - builder.size()) return too_large(max_bytes);
    if (auto added = builder.append({piece.get(), step.bytes}); !added) return added.error();
    if (step.state == State::done) break;
    if (step.bytes == 0 && in.size() == in_before) {
      return Error{Fault::malformed, "invalid compressed data: unexpected end of file"};
    }
  }
  if (!in.empty()) return Error{Fault::malformed, "invalid compressed data: unexpected bytes after the end"};
  return std::move(builder).finish();
}

class Packer {
 public:
  Packer(buffer::BytesBuilder& builder) : builder_(builder) {}
  virtual ~Packer() = default;
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  virtual Result<void> add(std::string_view bytes) = 0;
  virtual Result<void> end() = 0;

 protected:
  Result<void> put(std::size_t bytes) { return builder_.append({piece_.get(), bytes}); }
  buffer::BytesBuilder& builder_;
  std::unique_ptr<char[]> piece_ = std::make_unique<char[]>(piece_bytes);
};

class ZstdPacker final : public Packer {
 public:
  ZstdPacker(buffer::BytesBuilder& builder, int level, std::uint64_t bytes)
      : Packer(builder), context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, 21);  // whoever reads it needs 2 MB
    ZSTD_CCtx_setPledgedSrcSize(context_, bytes);
  }
  ~ZstdPacker() override { ZSTD_freeCCtx(context_); }

  Result<void> add(std::string_view bytes) override { return run(bytes, ZSTD_e_continue); }
  Result<void> end() override { return run({}, ZSTD_e_end); }

 private:
  Result<void> run(std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{piece_.get(), piece_bytes, 0};
      const auto left = ZSTD_compressStream2(context_, &out, &in, directive);
      if (ZSTD_isError(left) != 0) throw std::bad_alloc();
      if (auto added = put(out.pos); !added) return added;
      const bool done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
      if (done) return {};
    }
  }
  ZSTD_CCtx* context_;
};

class GzipPacker final : public Packer {
 public:
  GzipPacker(buffer::BytesBuilder& builder, int level) : Packer(builder) {
    if (deflateInit2(&stream_, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~GzipPacker() override { deflateEnd(&stream_); }

  Result<void> add(std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto some = bytes.substr(0, most(bytes.size()));
      bytes.remove_prefix(some.size());
      if (auto run_some = run(some, Z_NO_FLUSH); !run_some) return run_some;
    }
    return {};
  }
  Result<void> end() override { return run({}, Z_FINISH); }

 private:
  Result<void> run(std::string_view bytes, int flush) {
    stream_.next_in = input<Bytef>(bytes);
    stream_.avail_in = most(bytes.size());
    for (;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(piece_.get());
      stream_.avail_out = static_cast<unsigned>(piece_bytes);
      const int result = deflate(&stream_, flush);
      if (auto added = put(piece_bytes - stream_.avail_out); !added) return added;
      const bool done = flush == Z_FINISH ? result == Z_STREAM_END
                                          : stream_.avail_in == 0 && stream_.avail_out > 0;
      if (done) return {};
    }
  }
  z_stream stream_{};
};

class Joiner final : public Packer {
 public:
  using Packer::Packer;
  Result<void> add(std::string_view bytes) override {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece_bytes, bytes.size()))) {
      if (auto added = builder_.append(bytes.substr(0, piece_bytes)); !added) return added;
    }
    return {};
  }
  Result<void> end() override { return {}; }
};

std::unique_ptr<Packer> make_packer(Coding coding,
                                    int level,
                                    std::uint64_t bytes,
                                    buffer::BytesBuilder& builder) {
  constexpr int highest = 6;
  level = std::clamp(level, 1, highest);
  if (coding == Coding::zstd) return std::make_unique<ZstdPacker>(builder, level, bytes);
  if (coding == Coding::gzip) return std::make_unique<GzipPacker>(builder, level);
  return std::make_unique<Joiner>(builder);
}

}  // namespace

Result<Bytes> decode_bytes(std::string_view bytes,
                           Coding coding,
                           std::size_t max_bytes,
                           const Room& room) {
  const auto in_memory = room.spool ? std::min(max_bytes, room.spool->above_bytes()) : max_bytes;
  if (bytes.size() <= in_memory) {
    auto decoded = decode(bytes, coding, in_memory);
    if (decoded) return Bytes(*std::move(decoded));
    if (decoded.error().fault != Fault::too_large || in_memory == max_bytes) return decoded.error();
  }
  if (coding == Coding::identity) {
    if (bytes.size() > max_bytes) return too_large(max_bytes);
    return encode_bytes({&bytes, 1}, coding, 0, room);
  }
  return decode_all(*make_decoder(coding), bytes, max_bytes, room);
}

Result<Bytes> decode_bytes(std::string_view bytes,
                           const std::vector<Coding>& codings,
                           std::size_t max_bytes,
                           const Room& room) {
  auto decoded = decode_bytes(bytes, codings.back(), max_bytes, room);
  for (auto coding = codings.rbegin() + 1; decoded && coding != codings.rend(); ++coding) {
    decoded = decode_bytes(*decoded, *coding, max_bytes, room);
  }
  return decoded;
}

Result<Bytes> encode_bytes(std::span<const std::string_view> pieces,
                           Coding coding,
                           int level,
                           const Room& room) {
  std::uint64_t bytes = 0;
  for (const auto piece : pieces)
    bytes += piece.size();
  buffer::BytesBuilder builder(room);
  const auto packer = make_packer(coding, level, bytes, builder);
  for (const auto piece : pieces) {
    if (auto added = packer->add(piece); !added) return added.error();
  }
  if (auto ended = packer->end(); !ended) return ended.error();
  return std::move(builder).finish();
}

bool is_packed_file(std::string_view file) {
  return make_file_decoder(file) != nullptr;
}

Result<Bytes> unpack_file(std::string_view file, std::size_t max_bytes, const Room& room) {
  return decode_all(*make_file_decoder(file), file, max_bytes, room);
}

}  // namespace picket::relay
