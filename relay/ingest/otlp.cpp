#include "relay/ingest/otlp.h"

#include "relay/protocol/hex.h"

namespace picket::ingest::otlp {

const Value* find(const Attributes& attributes, std::string_view key) {
  for (const auto& attribute : attributes) {
    if (attribute.key == key) return &attribute.value;
  }
  return nullptr;
}

std::string_view find_text(const Attributes& attributes, std::string_view key) {
  const auto* value = find(attributes, key);
  return value != nullptr && value->kind == Value::Kind::text ? value->text : std::string_view();
}

std::string hex_id(std::string_view raw, std::size_t bytes) {
  if (raw.size() != bytes || raw.find_first_not_of('\0') == std::string_view::npos) return {};
  return relay::render_hex(raw);
}

}  // namespace picket::ingest::otlp
