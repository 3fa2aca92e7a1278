// Many envelopes in one request from Picket to Picket, and the answers to each (docs/batches.md).
//
//   body   = one zstd frame of: magic frame*
//   magic  = "picket-batch/1\n"
//   frame  = head_bytes:u32le  body_bytes:u32le  head  body
//   head   = project "\n" ( name ": " value "\n" )*
//
//   answer = line*                                        in the order of the frames
//   line   = status "\t" retry-after "\t" rate-limits "\t" body "\n"
//
// INVARIANT  No length is believed before it has been compared with its limit.
// THREADS    An object belongs to one thread.
#pragma once

#include "buffer/result.h"
#include "relay/protocol/content_zstd.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::relay {

constexpr std::string_view batch_path = "/api/picket/batch/";
constexpr std::string_view batch_content_type = "application/x-picket-batch";
constexpr std::string_view batch_answer_type = "application/x-picket-batch-answer";
// In an answer to whoever says what an envelope has come through: which versions are taken.
constexpr std::string_view batch_offer_header = "X-Picket-Batch";
constexpr std::string_view batch_version = "1";

struct BatchLimits {
  std::size_t packed_bytes = std::size_t{1} << 20;  // what proxies take without being told to
  std::size_t bytes = std::size_t{8} << 20;         // unpacked, all of it
  std::size_t envelopes = 2'000;
  std::size_t head_bytes = std::size_t{16} << 10;
  std::size_t headers = 32;
  std::size_t body_bytes = std::size_t{1} << 20;
  int window_log = 20;
};
constexpr BatchLimits batch_limits;

struct BatchFrame {
  std::string_view project;  // 1 to 20 digits
  std::vector<std::pair<std::string_view, std::string_view>> headers;  // tokens; printable values
  std::string_view body;
};

class EnvelopeBatchReader {
 public:
  // REQUIRES: `packed` outlives it.
  explicit EnvelopeBatchReader(std::string_view packed, const BatchLimits& limits = batch_limits);

  // The next frame, valid until the next call; nothing at the end. Fault::malformed and too_large end
  // it: what follows cannot be told from what does not belong there.
  Result<std::optional<BatchFrame>> next();

 private:
  Result<bool> fill(std::size_t bytes);
  Result<void> check_magic();

  const BatchLimits limits_;
  ZstdPieceReader pieces_;
  std::string held_;
  std::size_t at_ = 0;  // of held_, up to where it was given out
  std::size_t bytes_ = 0;
  std::size_t envelopes_ = 0;
  bool begun_ = false;
};

class EnvelopeBatchWriter {
 public:
  EnvelopeBatchWriter() : packer_(batch_limits.window_log) {}

  void begin(int level);
  // `headers` are "Name: value". REQUIRES: fits().
  void add(std::uint64_t project, std::span<const std::string> headers, std::string_view body);
  bool fits(std::span<const std::string> headers, std::string_view body) const;
  std::size_t envelopes() const { return envelopes_; }
  std::size_t bytes() const { return bytes_; }  // unpacked
  // What end() returns at most.
  std::size_t most_packed_bytes() const;
  std::string end();

 private:
  ZstdPieceWriter packer_;
  std::string packed_;
  std::size_t bytes_ = 0;
  std::size_t envelopes_ = 0;
};

struct BatchLine {
  unsigned status = 0;
  std::string retry_after;
  std::string rate_limits;
  std::string body;  // its first 1,000 bytes, on one line
};
std::string render_batch_line(const BatchLine& line);
// The whole lines that `text` begins with, at most so many, up to the first that is none.
std::vector<BatchLine> parse_batch_lines(std::string_view text, std::size_t most);

}  // namespace picket::relay
