// The keys of a query, and the quotes that keys and values share.
#pragma once

#include "api/query/search.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::query {

class KeyReader {
 public:
  // `open`: names may hold '/', '@', '$', and in quotes anything.
  KeyReader(std::string_view text, bool open);

  // Nothing when no key starts there. What may follow is not looked at.
  std::optional<SearchKey> read(std::size_t at) const;
  // Where the quotes that open there close, or npos.
  std::size_t closing_quote(std::size_t at) const;
  // Some quote that no backslash escapes.
  bool has_quote(std::size_t at, std::size_t end) const;
  std::size_t spaces_end(std::size_t at) const;

 private:
  std::optional<SearchKey> read_quoted_key(std::size_t at) const;
  std::optional<SearchKey> read_explicit_key(std::size_t at) const;
  bool read_aggregate(SearchKey& key) const;
  std::optional<KeyArgument> read_argument(std::size_t at, std::size_t& end) const;
  std::size_t name_end(std::size_t at) const;

  std::string_view text_;
  bool open_;
  std::vector<std::uint32_t> next_quote_;  // from each place, the next quote that no backslash escapes
};

}  // namespace picket::query
