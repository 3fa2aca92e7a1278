#include "api/digest/issue_texts.h"

#include "api/digest/text.h"
#include "buffer/keys.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <vector>

namespace picket::digest {
namespace {

constexpr std::size_t most_text_frames = 50;  // of one event, different ones
constexpr std::size_t most_frame_bytes = 1'536;
constexpr std::size_t most_value_bytes = 512;
constexpr std::size_t most_url_bytes = 512;
constexpr char line_end = '\n';
constexpr char section_end = '\x1e';

void add_lower(std::string& line, std::string_view text, std::size_t most) {
  for (const char c : first_characters(text, most)) {
    if (c == line_end || c == section_end) continue;
    line += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
}

// "shop.cart" says nothing that "src/shop/cart.py" does not.
bool file_names_module(std::string_view file, std::string_view module) {
  std::string dotted(file);
  std::replace(dotted.begin(), dotted.end(), '/', '.');
  return dotted.find(module) != std::string::npos;
}

std::string frame_line(const Frame& frame) {
  constexpr std::size_t most = 120;
  const auto file = frame.filename.empty() ? frame.abs_path : frame.filename;
  std::string line;
  line.reserve(2 + std::min(frame.function.size(), most) + std::min(frame.module.size(), most) + std::min(file.size(), most));
  add_lower(line, frame.function, most);
  if (!frame.module.empty() && !file_names_module(file, frame.module)) {
    if (!line.empty()) line += ' ';
    add_lower(line, frame.module, most);
  }
  if (!file.empty()) {
    if (!line.empty()) line += ' ';
    // Of a long path its end tells more.
    auto end = file.substr(file.size() - std::min(file.size(), most));
    while (end.size() < file.size() && !end.empty() && (end.front() & 0xc0) == 0x80) end.remove_prefix(1);
    add_lower(line, end, most);
  }
  return line;
}

// The newest frames first: in-app ones, or where the SDK marks none, those that it does not exclude.
class FrameLines {
 public:
  explicit FrameLines(const Event& event) {
    add_stacks(event, true);
    if (lines_.empty()) add_stacks(event, false);
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void add_stacks(const Event& event, bool marked) {
    for (auto exception = event.exceptions.rbegin(); exception != event.exceptions.rend(); ++exception)
      add_stack(exception->frames, marked);
    add_stack(event.stacktrace, marked);
    add_stack(event.thread.frames, marked);
  }
  void add_stack(const std::vector<Frame>& frames, bool marked) {
    for (auto frame = frames.rbegin(); frame != frames.rend() && lines_.size() < most_text_frames; ++frame) {
      if (!frame->in_app.value_or(!marked)) continue;
      auto line = frame_line(*frame);
      if (!line.empty() && std::ranges::find(lines_, line) == lines_.end()) lines_.push_back(std::move(line));
    }
  }
  std::vector<std::string> lines_;
};

void add_value_line(std::string& lines, std::string_view type, std::string_view value) {
  constexpr std::size_t most = 160;
  std::string line;
  add_lower(line, type, most);
  if (!type.empty() && !value.empty()) line += ": ";
  add_lower(line, first_line(without_outer_space(value)), most);
  if (!line.empty()) lines += line + line_end;
}

// Without scheme, query and fragment: what is different for each visitor.
std::string_view url_path(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("?#"));
}

// True when `known` has grown by the line.
bool learn_line(std::string& known, std::string_view line, std::size_t most) {
  if (line.empty() || known.size() + line.size() + 1 > most) return false;
  for (std::size_t at = known.find(line); at != std::string::npos; at = known.find(line, at + 1)) {
    const bool begins = at == 0 || known[at - 1] == line_end;
    const auto end = at + line.size();
    if (begins && end < known.size() && known[end] == line_end) return false;
  }
  known += line;
  known += line_end;
  return true;
}

bool learn_lines(std::string& known, std::string_view lines, std::size_t most) {
  bool learned = false;
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find(line_end));
    learned = learn_line(known, line, most) || learned;
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
  }
  return learned;
}

std::string_view take_section(std::string_view& texts) {
  const auto section = texts.substr(0, texts.find(section_end));
  texts.remove_prefix(std::min(texts.size(), section.size() + 1));
  return section;
}

}  // namespace

std::string render_event_texts(const Event& event) {
  std::string texts;
  const FrameLines frames(event);
  for (const auto& line : frames.lines()) texts += line + line_end;
  texts += section_end;
  // The last exception is what the issue is called.
  for (std::size_t i = event.exceptions.size(); i-- > 0;) {
    if (i + 1 < event.exceptions.size()) add_value_line(texts, event.exceptions[i].type, event.exceptions[i].value);
  }
  if (!event.exceptions.empty()) add_value_line(texts, "", event.formatted);
  texts += section_end;
  std::string path;
  add_lower(path, url_path(event.request_url), 160);
  if (!path.empty()) texts += path + line_end;
  return texts.size() == 2 ? std::string() : texts;
}

std::uint64_t hash_of_texts(std::string_view event_texts) {
  return buffer::stable_hash(event_texts);
}

bool learn_texts(schema::IssueTexts& texts, std::string_view event_texts) {
  const bool frames = learn_lines(*texts.mutable_frames(), take_section(event_texts), most_frame_bytes);
  const bool values = learn_lines(*texts.mutable_values(), take_section(event_texts), most_value_bytes);
  const bool urls = learn_lines(*texts.mutable_urls(), event_texts, most_url_bytes);
  return frames || values || urls;
}

bool join_texts(schema::IssueTexts& texts, const schema::IssueTexts& more) {
  const bool frames = learn_lines(*texts.mutable_frames(), more.frames(), most_frame_bytes);
  const bool values = learn_lines(*texts.mutable_values(), more.values(), most_value_bytes);
  const bool urls = learn_lines(*texts.mutable_urls(), more.urls(), most_url_bytes);
  return frames || values || urls;
}

namespace {

constexpr std::size_t least_signature_bytes = 16;
constexpr std::size_t most_signature_bytes = 256;

template <class Each>
void each_sequence(std::string_view text, const Each& each) {
  for (std::size_t at = 0; at + 3 <= text.size(); ++at) {
    const auto letter = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i])); };
    // Three letters in 24 bits, spread over 32 by a multiplication (2^32 / golden ratio).
    each((letter(0) << 16 | letter(1) << 8 | letter(2)) * 2'654'435'769U);
  }
}

// A sequence has the bit of its first bits in a signature of any length.
unsigned shift_for(std::size_t bytes) {
  return 32U - static_cast<unsigned>(std::countr_zero(8 * bytes));
}

// Bit 0 is the last of the first eight bytes: how signatures have been stored since they had 64 bytes always.
std::size_t byte_of(std::uint32_t bit) {
  return bit / 64 * 8 + 7 - bit % 64 / 8;
}

}  // namespace

std::string signature_of(const schema::IssueTexts& texts) {
  std::bitset<8 * most_signature_bytes> all;
  for (const auto* section : {&texts.frames(), &texts.values(), &texts.urls()}) {
    each_sequence(*section, [&](std::uint32_t spread) { all.set(spread >> shift_for(most_signature_bytes)); });
  }
  auto bytes = least_signature_bytes;
  // At least two bits for each.
  while (bytes < most_signature_bytes && 4 * bytes < all.count()) bytes *= 2;
  const auto folded = shift_for(bytes) - shift_for(most_signature_bytes);
  std::string signature(bytes, '\0');
  for (std::uint32_t bit = 0; bit < all.size(); ++bit) {
    if (!all[bit]) continue;
    auto& byte = signature[byte_of(bit >> folded)];
    byte = static_cast<char>(static_cast<unsigned char>(byte) | 1U << (bit >> folded) % 8);
  }
  return signature;
}

TextSequences::TextSequences(std::span<const std::string> pieces) {
  for (const auto& piece : pieces) each_sequence(piece, [&](std::uint32_t spread) { spread_.push_back(spread); });
}

bool TextSequences::may_be_in(std::string_view signature) const {
  if (spread_.empty()) return true;
  const auto bytes = signature.size();
  if (bytes < least_signature_bytes || bytes > most_signature_bytes || !std::has_single_bit(bytes)) return false;
  const auto shift = shift_for(bytes);
  return std::ranges::all_of(spread_, [&](std::uint32_t spread) {
    const auto bit = spread >> shift;
    return (static_cast<unsigned char>(signature[byte_of(bit)]) >> bit % 8 & 1) != 0;
  });
}

}  // namespace picket::digest
