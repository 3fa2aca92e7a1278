#include "relay/protocol/unreal_archive.h"

#include "relay/protocol/minidump.h"

#include <charconv>
#include <cstdint>
#include <optional>

namespace picket::relay {
namespace {

constexpr std::size_t most_files = 1'000;
constexpr std::size_t most_leaves = 1'000;
constexpr std::size_t most_depth = 16;
constexpr std::size_t longest_name = 256;  // every leaf below repeats it
constexpr auto npos = std::string_view::npos;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint32_t number() {
    const auto bytes = take(4);
    std::uint32_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
    return value;
  }
  std::string_view take(std::size_t count) {
    failed_ = failed_ || count > rest_.size();
    if (failed_) return {};
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view text() {
    const auto bytes = take(number());
    return bytes.substr(0, bytes.find_last_not_of('\0') + 1);
  }
  // How many files it announces.
  std::uint32_t header() {
    text();
    text();
    number();
    return number();
  }
  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

UnrealFileKind kind_of(std::string_view name, std::string_view contents) {
  if (name == "CrashReportClient.ini") return UnrealFileKind::config;
  if (name == "CrashContext.runtime-xml") return UnrealFileKind::context;
  if (name.ends_with(".log")) return UnrealFileKind::log;
  if (is_minidump(contents)) return UnrealFileKind::minidump;
  if (contents.starts_with("Incident Identifier:")) return UnrealFileKind::apple_crash_report;
  return UnrealFileKind::other;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  if (code < 0x10000) return put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
}

bool append_entity(std::string& out, std::string_view name) {
  if (name == "lt") return out += '<', true;
  if (name == "gt") return out += '>', true;
  if (name == "amp") return out += '&', true;
  if (name == "quot") return out += '"', true;
  if (name == "apos") return out += '\'', true;
  if (!name.starts_with('#')) return false;
  const bool hex = name.starts_with("#x");
  name.remove_prefix(hex ? 2 : 1);
  std::uint32_t code = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) return false;
  append_utf8(out, code);
  return true;
}

std::string unescape(std::string_view text) {
  constexpr std::size_t longest_entity = 10;
  std::string out;
  while (!text.empty()) {
    const auto amp = std::min(text.find('&'), text.size());
    out += text.substr(0, amp);
    text.remove_prefix(amp);
    if (text.empty()) break;
    const auto end = text.substr(0, longest_entity).find(';');
    if (end == npos || !append_entity(out, text.substr(1, end - 1))) {
      out += '&';
      text.remove_prefix(1);
    } else {
      text.remove_prefix(end + 1);
    }
  }
  return out;
}

std::string join(const std::vector<std::string_view>& path) {
  std::string joined;
  for (std::size_t i = 1; i < path.size(); ++i) joined.append(i > 1 ? "." : "").append(path[i]);
  return joined;
}

}  // namespace

Result<std::vector<UnrealFile>> parse_unreal_archive(std::string_view bytes) {
  const auto wrong = [](const char* why) { return Error{Fault::malformed, std::string("unreal archive: ") + why}; };
  const bool marked = bytes.starts_with("CR1");
  if (bytes.size() < 4) return wrong("too short");
  Reader reader(marked ? bytes.substr(3) : bytes);
  auto files = reader.header();
  if (!marked) files = Reader(bytes.substr(bytes.size() - 4)).number();
  if (files > most_files) return wrong("too many files");
  std::vector<UnrealFile> found;
  for (std::uint32_t i = 0; i < files && !reader.failed(); ++i) {
    reader.number();
    UnrealFile file;
    file.name = reader.text();
    file.contents = reader.take(reader.number());
    file.kind = kind_of(file.name, file.contents);
    found.push_back(std::move(file));
  }
  if (!marked) reader.header();
  if (reader.failed()) return wrong("cut short");
  if (!reader.at_end()) return wrong("goes on after its end");
  return found;
}

std::vector<std::pair<std::string, std::string>> read_xml_leaves(std::string_view xml) {
  std::vector<std::pair<std::string, std::string>> leaves;
  std::vector<std::string_view> path;
  std::optional<std::size_t> text_at;  // of an element that may be a leaf
  for (std::size_t at = 0; leaves.size() < most_leaves;) {
    const auto open = xml.find('<', at);
    if (open == npos) break;
    const auto rest = xml.substr(open);
    if (rest.starts_with("<!--") || rest.starts_with("<?") || rest.starts_with("<!")) {
      const std::string_view end = rest.starts_with("<!--") ? "-->" : ">";
      const auto close = xml.find(end, open);
      if (close == npos) break;
      at = close + end.size();
      continue;
    }
    const auto close = xml.find('>', open);
    if (close == npos) break;
    auto tag = xml.substr(open + 1, close - open - 1);
    at = close + 1;
    if (tag.starts_with('/')) {
      tag = tag.substr(1, tag.find_last_not_of(" \t\r\n"));
      if (path.empty() || tag != path.back()) break;
      if (text_at) leaves.emplace_back(join(path), unescape(xml.substr(*text_at, open - *text_at)));
      text_at.reset();
      path.pop_back();
      continue;
    }
    if (tag.ends_with('/')) continue;
    const auto name = tag.substr(0, tag.find_first_of(" \t\r\n"));
    if (path.size() == most_depth || name.size() > longest_name) break;
    path.push_back(name);
    text_at = at;
  }
  return leaves;
}

}  // namespace picket::relay
