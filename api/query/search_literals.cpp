#include "api/query/search_literals.h"

#include "api/query/pattern.h"
#include "api/query/search_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace picket::query {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array<Unit, 10> durations = {{{"ms", 1},
                                             {"s", 1e3},
                                             {"min", 60e3},
                                             {"m", 60e3},
                                             {"hr", 3600e3},
                                             {"h", 3600e3},
                                             {"day", 86'400e3},
                                             {"d", 86'400e3},
                                             {"wk", 604'800e3},
                                             {"w", 604'800e3}}};

// digits [ "." { digit } ]: its end, or `at` when there is none.
std::size_t decimal_end(std::string_view text, std::size_t at) {
  auto end = at;
  while (end < text.size() && is_search_digit(text[end])) ++end;
  if (end == at || end >= text.size() || text[end] != '.') return end;
  ++end;
  while (end < text.size() && is_search_digit(text[end])) ++end;
  return end;
}

// Of what decimal_end() accepts; what no double can hold is infinite.
double to_double(std::string_view digits) {
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec == std::errc::result_out_of_range) {
    return digits.front() == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  return value;
}

Literal make(LiteralKind kind, std::string_view text, std::size_t at, std::size_t digits_end, std::size_t end) {
  Literal literal;
  literal.kind = kind;
  literal.at = at;
  literal.end = end;
  literal.text = text.substr(at, digits_end - at);
  literal.unit = text.substr(digits_end, end - digits_end);
  return literal;
}

std::size_t value_end(std::string_view text, std::size_t at) {
  while (!at_value_end(text, at)) ++at;
  return at;
}

// A decimal, then a unit of the table, then the end of the value.
template <class FactorOf>
std::optional<Literal> read_with_unit(LiteralKind kind, std::string_view text, std::size_t at, FactorOf factor_of) {
  const auto digits_end = decimal_end(text, at);
  if (digits_end == at) return std::nullopt;
  const auto end = value_end(text, digits_end);
  const std::optional<double> factor = factor_of(text.substr(digits_end, end - digits_end));
  if (!factor) return std::nullopt;
  auto literal = make(kind, text, at, digits_end, end);
  literal.number = to_double(literal.text) * *factor;
  return literal;
}

std::optional<double> size_factor(std::string_view unit) {
  const auto name = lower_ascii(unit.substr(0, 6));
  if (name == "bit") return 1.0 / 8;
  if (name == "nb") return 1.0 / 2;
  if (name == "bytes") return 1;
  constexpr std::string_view prefixes = "kmgtpezy";
  const bool binary = name.size() == 3 && name.ends_with("ib");
  if (!binary && !(name.size() == 2 && name.back() == 'b')) return std::nullopt;
  const auto power = prefixes.find(name.front());
  if (power == std::string_view::npos) return std::nullopt;
  double factor = 1;
  for (std::size_t i = 0; i <= power; ++i) factor *= binary ? 1024 : 1000;
  return factor;
}

// Digits and fixed characters: "dddd-dd-dd" with d for a digit.
bool looks_like(std::string_view text, std::string_view shape) {
  if (text.size() < shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 'd' ? !is_search_digit(text[i]) : text[i] != shape[i]) return false;
  }
  return true;
}

}  // namespace

bool is_search_digit(char c) {
  return c >= '0' && c <= '9';
}

bool at_value_end(std::string_view text, std::size_t at) {
  return at >= text.size() || text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == ')';
}

std::optional<Literal> read_number(std::string_view text, std::size_t at, Time) {
  const auto digits_from = at < text.size() && text[at] == '-' ? at + 1 : at;
  const auto digits_end = decimal_end(text, digits_from);
  if (digits_end == digits_from) return std::nullopt;
  auto end = digits_end;
  double factor = 1;
  if (end < text.size()) {
    const char unit = static_cast<char>(text[end] | 0x20);
    if (unit == 'k' || unit == 'm' || unit == 'b') {
      factor = unit == 'k' ? 1e3 : unit == 'm' ? 1e6 : 1e9;
      ++end;
    }
  }
  if (!at_value_end(text, end) && text[end] != ',' && text[end] != ']') return std::nullopt;
  auto literal = make(LiteralKind::number, text, at, digits_end, end);
  literal.number = to_double(literal.text) * factor;
  return literal;
}

std::optional<Literal> read_duration(std::string_view text, std::size_t at, Time) {
  return read_with_unit(LiteralKind::duration, text, at, [](std::string_view unit) -> std::optional<double> {
    const auto found = std::ranges::find(durations, unit, &Unit::name);
    return found == durations.end() ? std::nullopt : std::optional(found->factor);
  });
}

std::optional<Literal> read_size(std::string_view text, std::size_t at, Time) {
  return read_with_unit(LiteralKind::size, text, at, size_factor);
}

std::optional<Literal> read_percentage(std::string_view text, std::size_t at, Time) {
  const auto digits_end = decimal_end(text, at);
  if (digits_end == at || digits_end >= text.size() || text[digits_end] != '%') return std::nullopt;
  auto literal = make(LiteralKind::percentage, text, at, digits_end, digits_end + 1);
  literal.number = to_double(literal.text);
  return literal;
}

std::optional<Literal> read_boolean(std::string_view text, std::size_t at, Time) {
  const auto end = value_end(text, at);
  const auto word = lower_ascii(text.substr(at, std::min<std::size_t>(end - at, 6)));
  const bool yes = word == "true" || word == "1";
  if (!yes && word != "false" && word != "0") return std::nullopt;
  auto literal = make(LiteralKind::boolean, text, at, end, end);
  literal.number = yes ? 1 : 0;
  return literal;
}

std::optional<Literal> read_date(std::string_view text, std::size_t at, Time) {
  const auto end = value_end(text, at);
  auto rest = text.substr(at, end - at);
  if (!looks_like(rest, "dddd-dd-dd")) return std::nullopt;
  auto literal = make(LiteralKind::date, text, at, end, end);
  literal.date = rest.substr(0, 10);
  rest.remove_prefix(10);
  if (looks_like(rest, "Tdd:dd:dd")) {
    std::size_t length = 9;
    if (length + 1 < rest.size() && rest[length] == '.' && is_search_digit(rest[length + 1])) {
      const auto most = std::min(rest.size(), length + 7);
      for (++length; length < most && is_search_digit(rest[length]); ++length) {
      }
    }
    literal.time = rest.substr(1, length - 1);
    rest.remove_prefix(length);
  }
  if (rest == "Z" || (rest.size() == 6 && (looks_like(rest, "+dd:dd") || looks_like(rest, "-dd:dd")))) {
    literal.zone = rest;
    rest = {};
  }
  if (!rest.empty()) return std::nullopt;
  // A zone may follow a day alone; which it then moves.
  const auto whole = literal.time.empty() && !literal.zone.empty() ? literal.date + "T00:00:00" + literal.zone : literal.text;
  const auto date = parse_date(whole);
  if (!date) return std::nullopt;
  literal.ms = date->from_ms;
  return literal;
}

std::optional<Literal> read_relative_date(std::string_view text, std::size_t at, Time now) {
  if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return std::nullopt;
  auto end = at + 1;
  while (end < text.size() && is_search_digit(text[end])) ++end;
  if (end == at + 1 || end >= text.size() || !at_value_end(text, end + 1)) return std::nullopt;
  constexpr std::array<std::pair<char, double>, 4> units = {{{'m', 60e3}, {'h', 3600e3}, {'d', 86'400e3}, {'w', 604'800e3}}};
  const auto unit = std::ranges::find(units, text[end], &std::pair<char, double>::first);
  if (unit == units.end()) return std::nullopt;
  auto literal = make(LiteralKind::relative_date, text, at + 1, end, end + 1);
  literal.at = at;
  literal.sign = text[at];
  // Ten thousand years are as good as for ever.
  const auto amount = std::min(to_double(literal.text) * unit->second, 3.2e14);
  literal.number = amount;
  literal.ms = to_ms(now) + static_cast<std::int64_t>(literal.sign == '-' ? -amount : amount);
  return literal;
}

std::optional<Operator> read_operator(std::string_view text, std::size_t& at) {
  static constexpr std::array<std::pair<std::string_view, Operator>, 6> operators = {{
      {">=", Operator::greater_or_equal},
      {"<=", Operator::less_or_equal},
      {">", Operator::greater},
      {"<", Operator::less},
      {"=", Operator::equal},
      {"!=", Operator::not_equal},
  }};
  for (const auto& [word, op] : operators) {
    if (!text.substr(std::min(at, text.size())).starts_with(word)) continue;
    at += word.size();
    return op;
  }
  return std::nullopt;
}

}  // namespace picket::query
