#include "relay/protocol/content_pieces.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>

namespace picket::relay {
namespace {

constexpr std::size_t piece_bytes = std::size_t{64} << 10;

// zlib's words for the two formats.
int window_of(Coding coding) {
  return coding == Coding::gzip ? 15 + 16 : 15;
}

// The library's input is not const, and counts in 32 bits.
Bytef* input(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}
uInt step(std::size_t bytes) {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::size_t{1} << 30));
}

Error malformed(const char* why) {
  return {Fault::malformed, std::string("invalid compressed data: ") + why};
}

}  // namespace

struct PieceInflater::Stream {
  Stream(std::string_view bytes, Coding coding) : rest(bytes), gzip(coding == Coding::gzip) {
    if (inflateInit2(&zlib, window_of(coding)) != Z_OK) throw std::bad_alloc();
  }
  ~Stream() { inflateEnd(&zlib); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Fills as much of the piece as one call does; Z_STREAM_END once all has been read.
  int inflate_some() {
    const auto given = step(rest.size());
    zlib.next_in = input(rest);
    zlib.avail_in = given;
    zlib.next_out = reinterpret_cast<Bytef*>(piece.data());
    zlib.avail_out = static_cast<uInt>(piece.size());
    const int result = inflate(&zlib, Z_NO_FLUSH);
    rest.remove_prefix(given - zlib.avail_in);
    if (result != Z_STREAM_END || !gzip) return result;
    if (rest.find_first_not_of('\0') == std::string_view::npos) rest = {};  // padding
    if (rest.empty() || rest.front() != '\x1f') return result;
    inflateReset(&zlib);
    return Z_OK;
  }

  std::string_view rest;
  const bool gzip;
  bool done = false;
  z_stream zlib{};
  std::array<char, piece_bytes> piece{};
};

PieceInflater::PieceInflater(std::string_view bytes, Coding coding)
    : stream_(std::make_unique<Stream>(bytes, coding)) {}
PieceInflater::~PieceInflater() = default;

Result<std::string_view> PieceInflater::next() {
  auto& stream = *stream_;
  while (!stream.done) {
    const auto before = stream.rest.size();
    const int result = stream.inflate_some();
    const auto made = stream.piece.size() - stream.zlib.avail_out;
    if (result == Z_STREAM_END) {
      if (!stream.rest.empty()) return malformed("unexpected bytes after the end");
      stream.done = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return malformed("damaged");
    } else if (made == 0 && stream.rest.size() == before) {
      return malformed("unexpected end of file");
    }
    if (made > 0) return std::string_view(stream.piece.data(), made);
  }
  return std::string_view();
}

struct PieceDeflater::Stream {
  Stream(Coding coding, int level) {
    if (deflateInit2(&zlib, level, Z_DEFLATED, window_of(coding), 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Stream() { deflateEnd(&zlib); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  z_stream zlib{};
  std::array<char, piece_bytes> piece{};
};

PieceDeflater::PieceDeflater(Coding coding, int level)
    : stream_(std::make_unique<Stream>(coding, level)) {}
PieceDeflater::~PieceDeflater() = default;

void PieceDeflater::add(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const auto some = bytes.substr(0, step(bytes.size()));
    bytes.remove_prefix(some.size());
    run(some, Z_NO_FLUSH, out);
  }
}

void PieceDeflater::end(std::string& out) {
  run({}, Z_FINISH, out);
}

void PieceDeflater::run(std::string_view bytes, int flush, std::string& out) {
  auto& stream = *stream_;
  stream.zlib.next_in = input(bytes);
  stream.zlib.avail_in = step(bytes.size());
  for (;;) {
    stream.zlib.next_out = reinterpret_cast<Bytef*>(stream.piece.data());
    stream.zlib.avail_out = static_cast<uInt>(stream.piece.size());
    const int result = deflate(&stream.zlib, flush);
    out.append(stream.piece.data(), stream.piece.size() - stream.zlib.avail_out);
    const bool done = flush == Z_FINISH ? result == Z_STREAM_END
                                        : stream.zlib.avail_in == 0 && stream.zlib.avail_out > 0;
    if (done) return;
  }
}

}  // namespace picket::relay
