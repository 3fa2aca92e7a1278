// Replies, and what a Call says about its path, query and body.
#include "api/rest/router.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace picket::rest {
namespace {

// Length of the UTF-8 sequence that starts at `at`, 0 when there is no valid one.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  if (lead == 0xe0 && second < 0xa0) return 0;  // overlong
  if (lead == 0xed && second > 0x9f) return 0;  // surrogates
  if (lead == 0xf0 && second < 0x90) return 0;  // overlong
  if (lead == 0xf4 && second > 0x8f) return 0;  // past U+10FFFF
  return length;
}

}  // namespace

std::string replace_invalid_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto length = sequence_length(text, at);
    if (length == 0) {
      clean += "\xef\xbf\xbd";
      ++at;
    } else {
      clean += text.substr(at, length);
      at += length;
    }
  }
  return clean;
}

Reply Reply::json(boost::json::value body, unsigned status) {
  return Reply{.status = status, .body = std::move(body), .headers = {}};
}

Reply Reply::none(unsigned status) {
  return Reply{.status = status, .body = std::nullopt, .headers = {}};
}

Reply Reply::raw(std::string bytes, std::string content_type) {
  return Reply{.status = 200,
               .body = std::nullopt,
               .headers = {},
               .bytes = std::move(bytes),
               .content_type = std::move(content_type)};
}

Reply Reply::error(unsigned status, std::string_view detail) {
  return json(boost::json::object{{"detail", detail}}, status);
}

Reply Reply::invalid(boost::json::value body) {
  return json(std::move(body), 400);
}

Reply Reply::field_error(std::string_view field, std::string_view message) {
  boost::json::object body;
  body[field] = boost::json::array{message};
  return invalid(std::move(body));
}

Reply Reply::not_found() {
  return error(404, "The requested resource does not exist");
}

Reply Reply::forbidden() {
  return error(403, "You do not have permission to perform this action.");
}

Query::Query(std::string_view query) : pairs_(http::parse_query(query)) {
  for (auto& [name, value] : pairs_) {
    name = replace_invalid_utf8(name);
    value = replace_invalid_utf8(value);
  }
}

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string_view Query::text(std::string_view name) const {
  return find(name).value_or(std::string_view());
}

std::vector<std::string_view> Query::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : pairs_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string_view Call::path_text(std::string_view name) const {
  for (const auto& [key, value] : path) {
    if (key == name) return value;
  }
  std::abort();  // the endpoint asks for a name that its pattern does not have
}

const boost::json::value* Call::field(std::string_view name) const {
  const auto* object = body.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

boost::json::value render_time(std::int64_t ms) {
  // Four-digit years only: what is later cannot be written as RFC 3339.
  constexpr std::int64_t year_10000_ms = 253'402'300'800'000;
  if (ms <= 0 || ms >= year_10000_ms) return nullptr;
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z",
                    parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                    parts.tm_min, parts.tm_sec, static_cast<int>(ms % 1000));
  return boost::json::string(std::string_view(text.data(), static_cast<std::size_t>(length)));
}

}  // namespace picket::rest
