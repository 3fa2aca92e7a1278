// One filter of a query, read at a place: its key, its operator, its value, and whether they fit.
#pragma once

#include "api/query/search.h"
#include "api/query/search_literals.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::query {

class FilterReader {
 public:
  FilterReader(std::string_view text, const SearchLanguage& language, Time now);

  // Nothing when no filter starts there.
  std::optional<SearchNode> read(std::size_t at) const;
  // Where the quotes that open there close, or npos.
  std::size_t closing_quote(std::size_t at) const;
  std::optional<Invalid> check_free_text(std::string_view words) const;

 private:
  std::optional<SearchKey> read_key(std::size_t at) const;
  std::optional<SearchKey> read_quoted_key(std::size_t at) const;
  std::optional<SearchKey> read_explicit_key(std::size_t at) const;
  bool read_aggregate(SearchKey& key) const;
  std::optional<KeyArgument> read_argument(std::size_t at, std::size_t& end) const;
  std::size_t name_end(std::size_t at) const;
  std::size_t spaces_end(std::size_t at) const;

  bool read_typed(SearchNode& node, KeyKinds kinds) const;
  bool read_open(SearchNode& node) const;
  bool read_aggregate_value(SearchNode& node) const;
  bool read_has_or_is(SearchNode& node) const;
  bool read_number_list(SearchNode& node) const;
  bool read_text_list(SearchNode& node) const;
  void read_text(SearchNode& node, KeyKinds kinds) const;
  bool take(SearchNode& node, FilterKind filter, ReadLiteral literal, bool with_operator) const;
  Literal text_value(std::size_t at) const;
  std::optional<Literal> list_item(std::size_t at) const;
  template <class ReadItem>
  bool read_list(SearchNode& node, FilterKind filter, ReadItem item) const;

  std::optional<Invalid> check(const SearchNode& node, KeyKinds kinds) const;
  std::optional<Invalid> check_kind(KeyKinds kinds) const;
  std::optional<Invalid> check_text(const Literal& value) const;
  Invalid invalid(InvalidKind kind, std::vector<FilterKind> expected = {}) const;

  std::string_view text_;
  const SearchLanguage& language_;
  Time now_;
  std::vector<std::uint32_t> next_quote_;  // from each place, the next quote that no backslash escapes
};

}  // namespace picket::query
