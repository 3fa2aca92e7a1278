#include "relay/http/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace picket::http {
namespace {

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool is_server_field(std::string_view name) {
  constexpr std::array<std::string_view, 6> own = {
      "content-length", "date", "server", "connection", "keep-alive", "transfer-encoding"};
  return std::any_of(own.begin(), own.end(), [name](std::string_view field) {
    return std::equal(field.begin(), field.end(), name.begin(), name.end(),
                      [](char a, char b) { return a == lower(b); });
  });
}

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_two_digits(std::string& out, int number) {
  out += static_cast<char>('0' + number / 10 % 10);
  out += static_cast<char>('0' + number % 10);
}

}  // namespace

std::string_view DateText::at(std::time_t now) {
  if (now == rendered_) return text_;
  constexpr std::array<std::string_view, 7> days = {"Sun, ", "Mon, ", "Tue, ", "Wed, ",
                                                    "Thu, ", "Fri, ", "Sat, "};
  constexpr std::array<std::string_view, 12> months = {" Jan ", " Feb ", " Mar ", " Apr ",
                                                       " May ", " Jun ", " Jul ", " Aug ",
                                                       " Sep ", " Oct ", " Nov ", " Dec "};
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  text_ = days[static_cast<std::size_t>(utc.tm_wday)];
  append_two_digits(text_, utc.tm_mday);
  text_ += months[static_cast<std::size_t>(utc.tm_mon)];
  append_two_digits(text_, 19 + utc.tm_year / 100);
  append_two_digits(text_, utc.tm_year);
  text_ += ' ';
  append_two_digits(text_, utc.tm_hour);
  text_ += ':';
  append_two_digits(text_, utc.tm_min);
  text_ += ':';
  append_two_digits(text_, utc.tm_sec);
  text_ += " GMT";
  rendered_ = now;
  return text_;
}

bool is_safe(const Response& response) {
  const auto& fields = response.headers.all();
  return is_field_value(response.content_type) &&
         std::all_of(fields.begin(), fields.end(), [](const auto& field) {
           return is_token(field.first) && is_field_value(field.second);
         });
}

bool is_bodiless(unsigned status) {
  return status < 200 || status == 204 || status == 304;
}

void render_head(std::string& out, const Response& response, const Framing& framing) {
  out += "HTTP/1.1 ";
  append_number(out, response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nServer: picket\r\nDate: ";
  out += framing.date;
  if (!is_bodiless(response.status)) {
    const auto length = response.body.size() + response.file.size();
    if (!response.content_type.empty() && length > 0) {
      out += "\r\nContent-Type: ";
      out += response.content_type;
    }
    out += "\r\nContent-Length: ";
    append_number(out, length);
  }
  for (const auto& [name, value] : response.headers.all()) {
    if (is_server_field(name)) continue;
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  if (framing.close) {
    out += "\r\nConnection: close";
  } else if (framing.http10) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n\r\n";
}

Response error_response(unsigned status, std::string_view detail) {
  Response response;
  response.status = status;
  response.body = R"({"detail":")";
  response.body += detail;
  response.body += R"(","causes":[]})";
  return response;
}

}  // namespace picket::http
