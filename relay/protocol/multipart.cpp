#include "relay/protocol/multipart.h"

#include <cstring>
#include <optional>
#include <utility>

namespace picket::relay {
namespace {

constexpr std::size_t most_boundary_bytes = 200;  // RFC 2046 allows 70
constexpr auto npos = std::string_view::npos;

Error malformed(std::string why) {
  return {Fault::malformed, "multipart: " + std::move(why)};
}

// memmem is linear in the worst case, std::string_view::find is not.
std::size_t find(std::string_view bytes, std::string_view wanted, std::size_t from) {
  if (from > bytes.size()) return npos;
  const void* const found =
      ::memmem(bytes.data() + from, bytes.size() - from, wanted.data(), wanted.size());
  return found == nullptr ? npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// The next "; name=value" of a header. Backslashes stay but before a quote: paths of Windows have them.
struct Parameter {
  std::string_view name;
  std::string value;
};
std::optional<Parameter> next_parameter(std::string_view& rest) {
  const auto start = rest.find_first_not_of("; \t");
  if (start == npos) return std::nullopt;
  rest.remove_prefix(start);
  const auto equals = rest.find_first_of("=;");
  if (equals == npos || rest[equals] == ';') {
    Parameter word{trim(rest.substr(0, equals)), {}};
    rest.remove_prefix(equals == npos ? rest.size() : equals);
    return word;
  }
  Parameter parameter{trim(rest.substr(0, equals)), {}};
  rest = rest.substr(equals + 1);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (!rest.starts_with('"')) {
    const auto end = std::min(rest.find(';'), rest.size());
    parameter.value = trim(rest.substr(0, end));
    rest.remove_prefix(end);
    return parameter;
  }
  std::size_t at = 1;
  while (at < rest.size() && rest[at] != '"') {
    if (rest[at] == '\\' && at + 1 < rest.size() && rest[at + 1] == '"') ++at;
    parameter.value += rest[at++];
  }
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return parameter;
}

void read_header(std::string_view line, FormPart& part) {
  const auto colon = line.find(':');
  if (colon == npos) return;
  const auto name = trim(line.substr(0, colon));
  auto value = trim(line.substr(colon + 1));
  if (same_word(name, "Content-Type")) part.content_type = value;
  if (!same_word(name, "Content-Disposition")) return;
  while (auto parameter = next_parameter(value)) {
    if (same_word(parameter->name, "name")) part.name = std::move(parameter->value);
    if (same_word(parameter->name, "filename")) {
      part.filename = std::move(parameter->value);
      part.is_file = true;
    }
  }
}

class Reader {
 public:
  Reader(std::string_view bytes, std::string_view boundary, const MultipartLimits& limits)
      : bytes_(bytes), delimiter_("\r\n--" + std::string(boundary)), limits_(limits) {}

  Result<std::vector<FormPart>> read() {
    std::vector<FormPart> parts;
    const auto first = std::string_view(delimiter_).substr(2);
    const auto start = bytes_.starts_with(first) ? 0 : find(bytes_, delimiter_, 0);
    if (start == npos) return malformed("the boundary does not appear");
    at_ = start + (start == 0 && bytes_.starts_with(first) ? first.size() : delimiter_.size());
    while (true) {
      if (ended()) return parts;
      if (!skip_line_end()) return malformed("no line end after a boundary");
      if (parts.size() == limits_.max_parts) return Error{Fault::too_large, "multipart: too many parts"};
      FormPart part;
      if (auto read = read_headers(part); !read) return read.error();
      if (!read_body(part)) return malformed("no end boundary");
      parts.push_back(std::move(part));
    }
  }

 private:
  bool ended() const { return bytes_.substr(at_).starts_with("--"); }

  bool skip_line_end() {
    const auto line = std::min(bytes_.find_first_not_of(" \t", at_), bytes_.size());
    if (!bytes_.substr(line).starts_with("\r\n")) return false;
    at_ = line + 2;
    return true;
  }

  Result<void> read_headers(FormPart& part) {
    const auto start = at_;
    while (true) {
      const auto end = bytes_.substr(0, std::min(bytes_.size(), start + limits_.max_header_bytes)).find("\r\n", at_);
      if (end == npos) {
        return bytes_.size() > start + limits_.max_header_bytes
                   ? Error{Fault::too_large, "multipart: the header of a part is too large"}
                   : malformed("a part's header has no end");
      }
      const auto line = bytes_.substr(at_, end - at_);
      at_ = end + 2;
      if (line.empty()) return {};
      read_header(line, part);
    }
  }

  // Up to the next delimiter that a part can follow, or nothing.
  bool read_body(FormPart& part) {
    // An empty body's delimiter begins with the line end of its header.
    for (auto from = at_ - 2;;) {
      const auto end = find(bytes_, delimiter_, from);
      if (end == npos) return false;
      const auto behind = bytes_.substr(end + delimiter_.size());
      const auto line = behind.substr(std::min(behind.find_first_not_of(" \t"), behind.size()));
      if (!behind.starts_with("--") && !line.starts_with("\r\n")) {
        from = end + 2;
        continue;
      }
      part.body = end < at_ ? std::string_view() : bytes_.substr(at_, end - at_);
      at_ = end + delimiter_.size();
      return true;
    }
  }

  std::string_view bytes_;
  std::string delimiter_;
  const MultipartLimits& limits_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::string> find_boundary(std::string_view content_type) {
  const auto end = std::min(content_type.find(';'), content_type.size());
  const auto type = trim(content_type.substr(0, end));
  if (type.size() < 10 || !same_word(type.substr(0, 10), "multipart/")) return malformed("another content type");
  auto rest = content_type.substr(end);
  while (auto parameter = next_parameter(rest)) {
    if (!same_word(parameter->name, "boundary")) continue;
    if (parameter->value.empty() || parameter->value.size() > most_boundary_bytes) break;
    return std::move(parameter->value);
  }
  return malformed("no boundary");
}

std::string_view guess_boundary(std::string_view bytes) {
  if (!bytes.starts_with("--")) return {};
  const auto end = bytes.substr(0, most_boundary_bytes).find("\r\n");
  return end == npos ? std::string_view() : bytes.substr(2, end - 2);
}

Result<std::vector<FormPart>> parse_multipart(std::string_view bytes,
                                              std::string_view boundary,
                                              const MultipartLimits& limits) {
  return Reader(bytes, boundary, limits).read();
}

}  // namespace picket::relay
