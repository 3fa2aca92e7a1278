#include "relay/scrub/json_index.h"

#include <simdjson.h>

#include <algorithm>
#include <limits>

namespace picket::scrub {

struct JsonIndex::Parser {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stages;
  std::size_t capacity = 0;
};

JsonIndex::JsonIndex() : parser_(std::make_unique<Parser>()) {}
JsonIndex::~JsonIndex() = default;

bool JsonIndex::build(std::string_view text) {
  constexpr std::size_t smallest = 32 * 1024;
  constexpr std::size_t depth = 1;  // of the stage that is not used
  size_ = 0;
  if (text.empty() || text.size() >= std::numeric_limits<std::uint32_t>::max()) return false;
  if (parser_->capacity < text.size()) {
    parser_->stages.reset();
    parser_->capacity = 0;
    const auto capacity = std::max(smallest, text.size());
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, depth, parser_->stages) != simdjson::SUCCESS)
      return false;
    parser_->capacity = capacity;
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  if (parser_->stages->stage1(bytes, text.size(), simdjson::stage1_mode::regular) !=
      simdjson::SUCCESS)
    return false;
  text_ = text;
  positions_ = parser_->stages->structural_indexes.get();
  size_ = parser_->stages->n_structural_indexes;
  return true;
}

std::size_t JsonIndex::after_brackets(std::size_t token) const {
  std::size_t depth = 0;
  for (; token < size_; ++token) {
    switch (first(token)) {
      case '{':
      case '[': ++depth; break;
      case '}':
      case ']':
        if (depth <= 1) return depth == 1 ? token + 1 : size_;
        --depth;
        break;
      default:
        if (depth == 0) return token + 1;
    }
  }
  return size_;
}

bool is_json(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  return parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS;
}

}  // namespace picket::scrub
