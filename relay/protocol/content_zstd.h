// zstd piece by piece, for those who never hold the whole: one frame (RFC 8878) with a checksum.
//
// THREADS  An object belongs to one thread.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace picket::relay {

class ZstdPieceReader {
 public:
  // REQUIRES: `bytes` outlive it. Takes as much memory as the window that the frame asks for, which is
  // refused above 2^window_log bytes.
  ZstdPieceReader(std::string_view bytes, int window_log);
  ~ZstdPieceReader();

  // The next piece, at most 128 KiB, valid until the next call; "" at the end. Fault::malformed for
  // what is damaged, cut short, or goes on behind its end.
  Result<std::string_view> next();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

class ZstdPieceWriter {
 public:
  // What of `add()` may not be in `out` yet.
  static constexpr std::size_t most_held_bytes = std::size_t{128} << 10;

  explicit ZstdPieceWriter(int window_log);
  ~ZstdPieceWriter();
  ZstdPieceWriter(ZstdPieceWriter&&) noexcept;
  ZstdPieceWriter& operator=(ZstdPieceWriter&&) noexcept;

  // Starts a frame, whatever was under way. Levels 1 to 19; keeps its memory for the next frame.
  void begin(int level);
  // Both append to `out`. REQUIRES: between begin() and end().
  void add(std::string_view bytes, std::string& out);
  void end(std::string& out);

  // What end() appends at most after `bytes` that are held.
  static std::size_t most_end_bytes(std::size_t bytes);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace picket::relay
