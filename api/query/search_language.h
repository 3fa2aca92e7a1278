// What a data set makes of the search language: which keys hold numbers, dates …, and what is not
// allowed. The grammar itself is the same everywhere (search.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace picket::query {

// What the values of a key may be besides text; a key may be several of these.
enum KeyKind : std::uint8_t {
  key_text = 0,
  key_number = 1,
  key_duration = 2,
  key_size = 4,
  key_date = 8,
  key_boolean = 16,
  key_percentage = 32,
  key_version = 64,  // text that is ordered: operators count
};
using KeyKinds = std::uint8_t;

// Why a filter or a text is not valid. The words can be replaced, see SearchLanguage::words.
enum class InvalidKind : std::uint8_t {
  free_text_not_allowed,
  wildcard_not_allowed,
  must_be_quoted,
  filter_must_have_value,
  invalid_boolean,
  invalid_file_size,
  invalid_number,
  empty_value_in_list,
  empty_parameter,
  invalid_key,
  invalid_duration,
  invalid_date_format,
};

struct SearchLanguage {
  std::map<std::string, KeyKinds, std::less<>> keys;
  // Keys are what their values are: any of them compares when an operator stands before a number, a
  // duration, a size or a date, any function may be compared with any of these; and names may hold
  // what attributes of telemetry do: '/', '@', '$', and in quotes anything.
  bool open = false;
  bool free_text = true;
  bool wildcards = true;
  std::optional<std::set<std::string, std::less<>>> only;  // other keys are invalid
  std::map<InvalidKind, std::string> words;

  // Measurements and spans.… are known by their prefix.
  KeyKinds kinds_of(std::string_view key) const;
  std::string words_of(InvalidKind kind) const;
};

// Sentry's own keys, which the others add to.
const SearchLanguage& common_language();
const SearchLanguage& issue_language();
// Events, transactions, spans, logs, metrics, replays: what was sent decides.
const SearchLanguage& fact_language();
// Release health: release, environment and project, no text.
const SearchLanguage& session_language();

}  // namespace picket::query
