#include "relay/protocol/envelope_batch.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace picket::relay {
namespace {

constexpr std::string_view magic = "picket-batch/1\n";
constexpr std::size_t lengths_bytes = 8;
constexpr std::size_t most_line_body_bytes = 1'000;

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return value;
}

void append_u32(std::string& out, std::size_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>((value >> shift) & 0xff);
}

bool is_project(std::string_view text) {
  return !text.empty() && text.size() <= 20 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

Error malformed(std::string why) {
  return {Fault::malformed, "invalid batch: " + std::move(why)};
}
Error too_large(std::string why) {
  return {Fault::too_large, "batch: " + std::move(why)};
}

// Up to the next '\n', which is taken as well; nothing when there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<BatchFrame> parse_frame(std::string_view head, std::string_view body, std::size_t most_headers) {
  BatchFrame frame;
  frame.body = body;
  const auto project = take_line(head);
  if (!project || !is_project(*project)) return malformed("a frame names no project");
  frame.project = *project;
  while (!head.empty()) {
    const auto line = take_line(head);
    const auto colon = line ? line->find(": ") : std::string_view::npos;
    if (colon == std::string_view::npos) return malformed("a header is no line with a name");
    const auto name = line->substr(0, colon);
    const auto value = line->substr(colon + 2);
    if (!is_name(name) || !is_value(value)) return malformed("a header has characters that none may have");
    if (frame.headers.size() == most_headers) return too_large("a frame has too many headers");
    frame.headers.emplace_back(name, value);
  }
  return frame;
}

std::size_t head_bytes(std::span<const std::string> headers) {
  std::size_t bytes = 21;
  for (const std::string& header : headers) bytes += header.size() + 1;
  return bytes;
}

void append_field(std::string& out, std::string_view text) {
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
}

std::optional<BatchLine> parse_line(std::string_view text) {
  std::array<std::string_view, 4> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto tab = i + 1 < fields.size() ? text.find('\t') : text.size();
    if (tab == std::string_view::npos) return std::nullopt;
    fields.at(i) = text.substr(0, tab);
    text.remove_prefix(std::min(tab + 1, text.size()));
  }
  BatchLine line;
  const auto status = fields[0];
  const auto [end, error] = std::from_chars(status.data(), status.data() + status.size(), line.status);
  const bool whole = error == std::errc() && end == status.data() + status.size() && status.size() == 3;
  if (!whole || line.status < 100) return std::nullopt;
  line.retry_after = fields[1];
  line.rate_limits = fields[2];
  line.body = fields[3];
  return line;
}

}  // namespace

EnvelopeBatchReader::EnvelopeBatchReader(std::string_view packed, const BatchLimits& limits)
    : limits_(limits), pieces_(packed, limits.window_log) {}

// Whether so many bytes are held from at_ on; false when the stream ends before.
Result<bool> EnvelopeBatchReader::fill(std::size_t bytes) {
  while (held_.size() - at_ < bytes) {
    const auto piece = pieces_.next();
    if (!piece) return piece.error();
    if (piece->empty()) return false;
    bytes_ += piece->size();
    if (bytes_ > limits_.bytes) return too_large("it is too large unpacked");
    held_.erase(0, at_);
    at_ = 0;
    held_ += *piece;
  }
  return true;
}

Result<void> EnvelopeBatchReader::check_magic() {
  const auto there = fill(magic.size());
  if (!there) return there.error();
  if (!*there || !held_.starts_with(magic)) return malformed("it is of no version that is known here");
  at_ = magic.size();
  return {};
}

Result<std::optional<BatchFrame>> EnvelopeBatchReader::next() {
  if (!begun_) {
    begun_ = true;
    if (const auto checked = check_magic(); !checked) return checked.error();
  }
  const auto more = fill(1);
  if (!more) return more.error();
  if (!*more) return std::optional<BatchFrame>();
  if (envelopes_ == limits_.envelopes) return too_large("too many envelopes");
  const auto lengths = fill(lengths_bytes);
  if (!lengths) return lengths.error();
  if (!*lengths) return malformed("a frame is cut short");
  const std::size_t head = read_u32(std::string_view(held_).substr(at_, 4));
  const std::size_t body = read_u32(std::string_view(held_).substr(at_ + 4, 4));
  if (head > limits_.head_bytes) return too_large("a frame's head is too large");
  if (body > limits_.body_bytes) return too_large("an envelope is too large for a batch");
  const auto whole = fill(lengths_bytes + head + body);
  if (!whole) return whole.error();
  if (!*whole) return malformed("a frame is cut short");
  const auto bytes = std::string_view(held_).substr(at_ + lengths_bytes, head + body);
  auto frame = parse_frame(bytes.substr(0, head), bytes.substr(head), limits_.headers);
  if (!frame) return frame.error();
  at_ += lengths_bytes + head + body;
  ++envelopes_;
  return std::optional(*std::move(frame));
}

void EnvelopeBatchWriter::begin(int level) {
  packed_.clear();
  envelopes_ = 0;
  bytes_ = magic.size();
  packer_.begin(level);
  packer_.add(magic, packed_);
}

bool EnvelopeBatchWriter::fits(std::span<const std::string> headers, std::string_view body) const {
  const auto head = head_bytes(headers);
  const auto frame = lengths_bytes + head + body.size();
  return envelopes_ < batch_limits.envelopes && head <= batch_limits.head_bytes && headers.size() <= batch_limits.headers &&
         body.size() <= batch_limits.body_bytes && bytes_ + frame <= batch_limits.bytes &&
         most_packed_bytes() + ZstdPieceWriter::most_end_bytes(frame) <= batch_limits.packed_bytes;
}

void EnvelopeBatchWriter::add(std::uint64_t project, std::span<const std::string> headers, std::string_view body) {
  std::string head = std::to_string(project) + '\n';
  for (const std::string& header : headers) head.append(header).append("\n");
  std::string lengths;
  append_u32(lengths, head.size());
  append_u32(lengths, body.size());
  packer_.add(lengths + head, packed_);
  packer_.add(body, packed_);
  bytes_ += lengths.size() + head.size() + body.size();
  ++envelopes_;
}

std::size_t EnvelopeBatchWriter::most_packed_bytes() const {
  return packed_.size() + ZstdPieceWriter::most_end_bytes(std::min(bytes_, ZstdPieceWriter::most_held_bytes));
}

std::string EnvelopeBatchWriter::end() {
  packer_.end(packed_);
  return std::move(packed_);
}

std::string render_batch_line(const BatchLine& line) {
  std::string text = std::to_string(line.status) + '\t';
  append_field(text, line.retry_after);
  text += '\t';
  append_field(text, line.rate_limits);
  text += '\t';
  append_field(text, std::string_view(line.body).substr(0, most_line_body_bytes));
  text += '\n';
  return text;
}

std::vector<BatchLine> parse_batch_lines(std::string_view text, std::size_t most) {
  std::vector<BatchLine> lines;
  while (lines.size() < most) {
    const auto line = take_line(text);
    auto parsed = line ? parse_line(*line) : std::nullopt;
    if (!parsed) break;
    lines.push_back(*std::move(parsed));
  }
  return lines;
}

}  // namespace picket::relay
