#include "api/digest/normalize_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace picket::digest {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

bool has_forbidden(std::string_view text) {
  return text.find_first_of("/\\\r\n\t\f") != std::string_view::npos;
}

// Eight, four, four, four and twelve hex digits with dashes, at `at`.
bool is_uuid_at(std::string_view text, std::size_t at) {
  constexpr std::array<std::size_t, 5> groups = {8, 4, 4, 4, 12};
  for (std::size_t group = 0; group < groups.size(); ++group) {
    if (group != 0 && (at >= text.size() || text[at++] != '-')) return false;
    for (std::size_t i = 0; i < groups[group]; ++i, ++at) {
      if (at >= text.size() || !is_hex(text[at])) return false;
    }
  }
  return true;
}

// A segment with a hash, a UUID, "0x…", or a run of two and more digits (dates have them).
bool identifies(std::string_view segment) {
  std::size_t digits = 0;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    // The digits of "%20" are a space, not a number.
    if (segment[i] == '%' && i + 2 < segment.size() && is_hex(segment[i + 1]) && is_hex(segment[i + 2])) {
      i += 2;
      digits = 0;
      continue;
    }
    digits = is_digit(segment[i]) ? digits + 1 : 0;
    if (digits == 2) return true;
    const bool start = i == 0 || !is_alnum(segment[i - 1]);
    if (!start) continue;
    if (is_uuid_at(segment, i)) return true;
    if (segment[i] == '0' && i + 2 < segment.size() && (segment[i + 1] | 0x20) == 'x' && is_hex(segment[i + 2])) return true;
    const auto end = std::ranges::find_if_not(segment.substr(i), is_hex);
    const auto run = static_cast<std::size_t>(end - segment.substr(i).begin());
    if (run >= 32) return true;
  }
  return false;
}

}  // namespace

bool is_valid_release(std::string_view text) {
  return !text.empty() && !has_forbidden(text) && text != "." && text != ".." && !same_word(text, "latest");
}

bool is_valid_environment(std::string_view text) {
  return !text.empty() && !has_forbidden(text) && text != "." && text != ".." && !same_word(text, "none");
}

bool is_valid_dist(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

std::string_view clean_release(std::string_view text) {
  text = without_outer_space(text);
  return is_valid_release(text) ? text : std::string_view();
}

std::string_view clean_environment(std::string_view text) {
  text = without_outer_space(text);
  return is_valid_environment(text) ? text : std::string_view();
}

std::string_view clean_dist(std::string_view text) {
  text = without_outer_space(text);
  return is_valid_dist(text) ? text : std::string_view();
}

std::string_view clean_tag_value(std::string_view text, TextArena& arena) {
  text = first_characters(without_outer_space(text), 200);
  const auto ends_line = [](char c) { return c == '\n' || c == '\r'; };
  if (std::ranges::none_of(text, ends_line)) return text;
  std::string flat(text);
  std::ranges::replace_if(flat, ends_line, ' ');
  return arena.keep(flat);
}

std::string_view device_class(std::string_view family, const DevicePower& power) {
  constexpr double gib = 1024.0 * 1024 * 1024;
  if (!power.frequency) return {};
  const bool apple = family == "iPhone" || family == "iPad" || family == "iPod" || family == "iOS" || family == "Mac";
  if (apple) return *power.frequency < 2000 ? "1" : *power.frequency < 3000 ? "2" : "3";
  if (!power.cores || !power.memory) return {};
  if (*power.frequency < 2000 || *power.cores < 8 || *power.memory < 4 * gib) return "1";
  return *power.frequency < 2500 || *power.memory < 6 * gib ? "2" : "3";
}

std::string csp_field(std::string_view name) {
  struct Spelling {
    std::string_view api;
    std::string_view field;
  };
  static constexpr std::array<Spelling, 12> spellings = {{
      {"blockedURL", "blocked_uri"},
      {"documentURL", "document_uri"},
      {"effectiveDirective", "effective_directive"},
      {"originalPolicy", "original_policy"},
      {"sourceFile", "source_file"},
      {"lineNumber", "line_number"},
      {"columnNumber", "column_number"},
      {"statusCode", "status_code"},
      {"sample", "script_sample"},
      {"violatedDirective", "violated_directive"},
      {"documentURI", "document_uri"},
      {"blockedURI", "blocked_uri"},
  }};
  for (const auto& known : spellings) {
    if (known.api == name) return std::string(known.field);
  }
  std::string field(name);
  std::ranges::replace(field, '-', '_');
  return field;
}

bool is_valid_tag_key(std::string_view key) {
  return !key.empty() && key.size() <= 200 &&
         std::ranges::all_of(key, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == ':' || c == '-'; });
}

std::string tag_key(std::string_view text) {
  std::string key(without_outer_space(text));
  std::ranges::replace(key, ' ', '-');
  return key;
}

bool is_internal_tag(std::string_view key) {
  return key == "release" || key == "dist" || key == "user" || key == "filename" || key == "function" || key == "environment";
}

bool is_ip_address(std::string_view text) {
  if (text.size() < 2 || text.size() > 45 || text.find('\0') != std::string_view::npos) return false;
  std::array<char, 48> room{};
  std::ranges::copy(text, room.begin());
  in6_addr address{};
  return inet_pton(text.find(':') == std::string_view::npos ? AF_INET : AF_INET6, room.data(), &address) == 1;
}

InferIp parse_infer_ip(std::string_view text) {
  if (text == "auto") return InferIp::automatic;
  return text == "never" ? InferIp::never : InferIp::legacy;
}

std::string_view remote_address(const AddressClues& clues) {
  if (clues.remote != "{{auto}}") return clues.remote;
  return clues.infer == InferIp::never ? std::string_view() : clues.sender;
}

std::string_view user_address(const AddressClues& clues) {
  constexpr std::string_view automatic = "{{auto}}";
  if (clues.user != automatic && is_ip_address(clues.user)) return clues.user;
  if (clues.infer == InferIp::never) return {};
  const auto sender = is_ip_address(clues.sender) ? clues.sender : std::string_view();
  if (clues.user == automatic) return sender;
  if (const auto remote = remote_address(clues); is_ip_address(remote)) return remote;
  const bool client_side = clues.platform == "javascript" || clues.platform == "cocoa" || clues.platform == "objc";
  return clues.infer == InferIp::automatic || client_side ? sender : std::string_view();
}

UrlParts split_url(std::string_view url) {
  UrlParts parts;
  if (const auto hash = url.find('#'); hash != std::string_view::npos) {
    parts.fragment = url.substr(hash + 1);
    url = url.substr(0, hash);
  }
  if (const auto mark = url.find('?'); mark != std::string_view::npos) {
    parts.query = url.substr(mark + 1);
    url = url.substr(0, mark);
  }
  parts.url = url;
  return parts;
}

FramePaths frame_paths(std::string_view filename, std::string_view abs_path) {
  const auto path_of = [](std::string_view text) {
    const bool web = text.starts_with("http://") || text.starts_with("https://");
    const auto slash = web ? text.find('/', text.find("://") + 3) : std::string_view::npos;
    if (slash == std::string_view::npos) return text;
    const auto path = text.substr(slash, text.find_first_of("?#", slash) - slash);
    return path.size() > 1 ? path : text;
  };
  if (abs_path.empty()) abs_path = filename;
  if (filename.empty()) filename = abs_path;
  return {path_of(filename), abs_path};
}

TypedValue exception_type(std::string_view type, std::string_view value) {
  if (!type.empty()) return {type, value};
  const auto colon = value.find(':');
  if (colon == std::string_view::npos || colon == 0) return {type, value};
  const auto word = value.substr(0, colon);
  if (word.size() > 128 || value.find('\n') < colon || !std::ranges::all_of(word, [](char c) { return is_alnum(c) || c == '_'; }))
    return {type, value};
  // "http://…" names no type.
  if (value.substr(colon + 1).starts_with("//")) return {type, value};
  return {word, without_outer_space(value.substr(colon + 1))};
}

bool is_url_transaction(std::string_view name, std::string_view source) {
  if (source == "url" || source == "sanitized") return true;
  return (source.empty() || source == "unknown") && name.find('/') != std::string_view::npos;
}

std::optional<std::string> sanitised_transaction(std::string_view name) {
  std::string clean;
  bool changed = false;
  while (true) {
    const auto end = name.find_first_of("/\\");
    const auto segment = name.substr(0, end);
    const bool replace = identifies(segment);
    changed |= replace;
    clean += replace ? std::string_view("*") : segment;
    if (end == std::string_view::npos) break;
    clean += name[end];
    name.remove_prefix(end + 1);
  }
  if (!changed) return std::nullopt;
  return clean;
}

}  // namespace picket::digest
