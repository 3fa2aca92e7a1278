// Replies, and what a Call says about its path, query and body.
#include "api/rest/router.h"

#include <array>
#include <chrono>
#include <cstdlib>

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
  const auto at = std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(ms));
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(at - day);
  std::array<char, 27> text{};
  auto* to = text.data();
  const auto put = [&](long number, std::size_t digits, char end) {
    for (auto i = digits; i > 0; --i, number /= 10) to[i - 1] = static_cast<char>('0' + number % 10);
    to[digits] = end;
    to += digits + 1;
  };
  put(static_cast<int>(date.year()), 4, '-');
  put(static_cast<long>(static_cast<unsigned>(date.month())), 2, '-');
  put(static_cast<long>(static_cast<unsigned>(date.day())), 2, 'T');
  put(clock.hours().count(), 2, ':');
  put(clock.minutes().count(), 2, ':');
  put(clock.seconds().count(), 2, '.');
  put(clock.subseconds().count() * 1000, 6, 'Z');
  return boost::json::string(std::string_view(text.data(), text.size()));
}

}  // namespace picket::rest
