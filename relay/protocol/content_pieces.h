// zlib and gzip piece by piece, for those who never hold the whole: what comes out is looked at and
// let go before the next piece is made.
//
// THREADS  An object belongs to one thread.
#pragma once

#include "buffer/result.h"
#include "relay/protocol/content_encoding.h"

#include <memory>
#include <string>
#include <string_view>

namespace picket::relay {

class PieceInflater {
 public:
  // One zlib stream, or the members of a gzip file. REQUIRES: `bytes` outlive it; `coding` is gzip
  // or deflate.
  PieceInflater(std::string_view bytes, Coding coding);
  ~PieceInflater();

  // The next piece, at most 64 KiB, valid until the next call; "" at the end. Fault::malformed for
  // what is damaged, cut short, or goes on behind its end.
  Result<std::string_view> next();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

class PieceDeflater {
 public:
  // REQUIRES: `coding` is gzip or deflate. Levels 1 to 9; takes 256 KiB.
  PieceDeflater(Coding coding, int level);
  ~PieceDeflater();

  // Both append to `out`.
  void add(std::string_view bytes, std::string& out);
  void end(std::string& out);

 private:
  void run(std::string_view bytes, int flush, std::string& out);
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace picket::relay
