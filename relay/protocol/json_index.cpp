#include "relay/protocol/json_index.h"

#include <simdjson.h>

#include <algorithm>
#include <limits>

namespace picket::relay {

namespace {
// What is kept for larger texts would stay with each thread.
constexpr std::size_t kept_bytes = std::size_t{1} * 1024 * 1024;
}  // namespace

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
  int depth = 0;
  for (; token < size_; ++token) {
    depth += bracket_of(first(token));
    if (depth <= 0) return depth == 0 ? token + 1 : size_;
  }
  return size_;
}

const JsonIndex* IndexedJson::index() {
  if (tried_) return index_;
  tried_ = true;
  if (text_.size() > kept_bytes) large_ = std::make_unique<JsonIndex>();
  auto& index = large_ ? *large_ : kept_;
  if (index.build(text_)) index_ = &index;
  return index_;
}

bool is_json(std::string_view text) {
  if (text.empty()) return false;  // simdjson would copy from nowhere
  simdjson::dom::element root;
  if (text.size() > kept_bytes) {
    simdjson::dom::parser parser;
    return parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS;
  }
  thread_local simdjson::dom::parser parser;
  return parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS;
}

}  // namespace picket::relay
