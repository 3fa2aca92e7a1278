// One filter of a query, read at a place: its key, its operator, its value, and whether they fit.
#pragma once

#include "api/query/search.h"
#include "api/query/search_keys.h"
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
  const KeyReader& keys() const { return keys_; }
  std::optional<Invalid> check_free_text(std::string_view words) const;

 private:
  KeyKinds kinds_of(const SearchKey& key) const;
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
  KeyReader keys_;
};

}  // namespace picket::query
