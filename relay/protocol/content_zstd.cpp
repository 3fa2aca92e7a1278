#include "relay/protocol/content_zstd.h"

#include <zstd.h>

#include <array>
#include <new>

namespace picket::relay {
namespace {

constexpr std::size_t piece_bytes = std::size_t{128} << 10;
// Of levels from here on the tables are kept small; those below have smaller ones of their own.
constexpr int first_large_level = 3;

Error malformed(const char* why) {
  return {Fault::malformed, std::string("invalid compressed data: ") + why};
}

}  // namespace

struct ZstdPieceReader::Stream {
  Stream(std::string_view bytes, int window_log) : in{bytes.data(), bytes.size(), 0}, zstd(ZSTD_createDStream()) {
    if (zstd == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, window_log);
  }
  ~Stream() { ZSTD_freeDStream(zstd); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  ZSTD_inBuffer in;
  ZSTD_DStream* const zstd;
  bool done = false;
  std::array<char, piece_bytes> piece{};
};

ZstdPieceReader::ZstdPieceReader(std::string_view bytes, int window_log)
    : stream_(std::make_unique<Stream>(bytes, window_log)) {}
ZstdPieceReader::~ZstdPieceReader() = default;

Result<std::string_view> ZstdPieceReader::next() {
  auto& stream = *stream_;
  while (!stream.done) {
    const auto before = stream.in.pos;
    ZSTD_outBuffer out{stream.piece.data(), stream.piece.size(), 0};
    const auto left = ZSTD_decompressStream(stream.zstd, &out, &stream.in);
    if (ZSTD_isError(left) != 0U) return malformed("damaged");
    if (left == 0) {
      if (stream.in.pos < stream.in.size) return malformed("unexpected bytes after the end");
      stream.done = true;
    } else if (out.pos == 0 && stream.in.pos == before) {
      return malformed("unexpected end of file");
    }
    if (out.pos > 0) return std::string_view(stream.piece.data(), out.pos);
  }
  return std::string_view();
}

struct ZstdPieceWriter::Stream {
  explicit Stream(int window_log) : zstd(ZSTD_createCCtx()) {
    if (zstd == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
  }
  ~Stream() { ZSTD_freeCCtx(zstd); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Only a lack of memory can fail it.
  void run(std::string_view bytes, ZSTD_EndDirective directive, std::string& out) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer to{piece.data(), piece.size(), 0};
      const auto left = ZSTD_compressStream2(zstd, &to, &in, directive);
      if (ZSTD_isError(left) != 0U) throw std::bad_alloc();
      out.append(piece.data(), to.pos);
      const bool done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size && to.pos < to.size;
      if (done) return;
    }
  }

  ZSTD_CCtx* const zstd;
  std::array<char, piece_bytes> piece{};
};

ZstdPieceWriter::ZstdPieceWriter(int window_log) : stream_(std::make_unique<Stream>(window_log)) {}
ZstdPieceWriter::~ZstdPieceWriter() = default;
ZstdPieceWriter::ZstdPieceWriter(ZstdPieceWriter&&) noexcept = default;
ZstdPieceWriter& ZstdPieceWriter::operator=(ZstdPieceWriter&&) noexcept = default;

void ZstdPieceWriter::begin(int level) {
  ZSTD_CCtx_reset(stream_->zstd, ZSTD_reset_session_only);
  ZSTD_CCtx_setParameter(stream_->zstd, ZSTD_c_compressionLevel, level);
  // Tables of 1.5 MiB, where high levels would take 16: a hundredth more bytes. Level 1 is a quarter slower with such
  // ones, which do not stay in a core's cache, for a thirtieth less; 0 is its own choice.
  const bool large = level >= first_large_level;
  ZSTD_CCtx_setParameter(stream_->zstd, ZSTD_c_hashLog, large ? 17 : 0);
  ZSTD_CCtx_setParameter(stream_->zstd, ZSTD_c_chainLog, large ? 18 : 0);
}

void ZstdPieceWriter::add(std::string_view bytes, std::string& out) {
  stream_->run(bytes, ZSTD_e_continue, out);
}

void ZstdPieceWriter::end(std::string& out) {
  stream_->run({}, ZSTD_e_end, out);
}

std::size_t ZstdPieceWriter::most_end_bytes(std::size_t bytes) {
  return ZSTD_compressBound(bytes) + 64;
}

}  // namespace picket::relay
