// Batches of envelopes and the answers to them: as they come, and as what a packed one holds. Every
// frame is within its limits, what was read can be written and reads back the same.

#include "fuzz/invariant.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope_batch.h"

#include <algorithm>
#include <string>
#include <vector>

namespace picket::relay {

using fuzz::check;

namespace {

struct Copy {
  std::uint64_t project = 0;
  std::vector<std::string> headers;
  std::string body;
};

void check_frame(const BatchFrame& frame, const BatchLimits& limits) {
  check(!frame.project.empty() && frame.project.size() <= 20, "a project has digits");
  check(frame.project.find_first_not_of("0123456789") == std::string_view::npos, "and nothing else");
  check(frame.headers.size() <= limits.headers, "headers are limited");
  check(frame.body.size() <= limits.body_bytes, "a body is limited");
  for (const auto& [name, value] : frame.headers) {
    check(!name.empty() && name.find_first_of(": \r\n\t") == std::string_view::npos, "a name is a token");
    check(std::none_of(value.begin(), value.end(), [](char c) { return c != '\t' && static_cast<unsigned char>(c) < 0x20; }),
          "a value has no control characters");
  }
}

std::vector<Copy> read_all(std::string_view packed, const BatchLimits& limits) {
  EnvelopeBatchReader reader(packed, limits);
  std::vector<Copy> copies;
  for (;;) {
    const auto next = reader.next();
    if (!next) check(!next.error().detail.empty(), "an error has words");
    if (!next || !*next) return copies;
    check_frame(**next, limits);
    Copy& copy = copies.emplace_back();
    copy.project = std::stoull("0" + std::string((*next)->project.substr(0, 18)));
    for (const auto& [name, value] : (*next)->headers) copy.headers.push_back(std::string(name) + ": " + std::string(value));
    copy.body = (*next)->body;
    check(copies.size() <= limits.envelopes, "envelopes are limited");
  }
}

void check_written_anew(const std::vector<Copy>& copies) {
  static EnvelopeBatchWriter writer;
  writer.begin(1);
  std::size_t written = 0;
  for (const Copy& copy : copies) {
    if (!writer.fits(copy.headers, copy.body)) break;
    writer.add(copy.project, copy.headers, copy.body);
    ++written;
  }
  const auto most = writer.most_packed_bytes();
  const auto packed = writer.end();
  check(packed.size() <= most && packed.size() <= batch_limits.packed_bytes, "a batch is as small as was promised");
  const auto again = read_all(packed, batch_limits);
  check(again.size() == written, "what was written reads back");
  for (std::size_t i = 0; i < written; ++i)
    check(again[i].headers == copies[i].headers && again[i].body == copies[i].body && again[i].project == copies[i].project,
          "and is the same");
}

void check_lines(std::string_view text) {
  const auto lines = parse_batch_lines(text, 100);
  check(lines.size() <= 100, "lines are limited");
  std::string rendered;
  for (const auto& line : lines) rendered += render_batch_line(line);
  const auto again = parse_batch_lines(rendered, 100);
  check(again.size() == lines.size(), "lines read back");
  for (std::size_t i = 0; i < lines.size(); ++i) check(again[i].status == lines[i].status, "and say the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::as_text(bytes, size);
  check_lines(text);
  BatchLimits small;
  small.bytes = 100'000;
  small.envelopes = 20;
  small.head_bytes = 500;
  small.headers = 4;
  small.body_bytes = 50'000;
  (void)read_all(text, small);
  check_written_anew(read_all(encode_zstd(text, 1), small));
  return 0;
}

}  // namespace picket::relay
