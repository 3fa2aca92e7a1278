// Typed values within a query: each reads at a place of the text, or finds that its kind is not there.
#pragma once

#include "api/query/search.h"

#include <optional>
#include <string_view>

namespace picket::query {

// Where a value may end: at a space, a tab, a line break, a closing parenthesis, the end.
bool at_value_end(std::string_view text, std::size_t at);
bool is_search_digit(char c);

using ReadLiteral = std::optional<Literal> (*)(std::string_view text, std::size_t at, Time now);

std::optional<Literal> read_number(std::string_view text, std::size_t at, Time now);
std::optional<Literal> read_duration(std::string_view text, std::size_t at, Time now);
std::optional<Literal> read_size(std::string_view text, std::size_t at, Time now);
std::optional<Literal> read_percentage(std::string_view text, std::size_t at, Time now);
std::optional<Literal> read_boolean(std::string_view text, std::size_t at, Time now);
std::optional<Literal> read_date(std::string_view text, std::size_t at, Time now);
std::optional<Literal> read_relative_date(std::string_view text, std::size_t at, Time now);

// >= <= > < = !=; moves `at` behind it.
std::optional<Operator> read_operator(std::string_view text, std::size_t& at);

}  // namespace picket::query
