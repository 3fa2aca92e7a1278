// The words in which schemas are written.
#pragma once

#include "relay/scrub/schema.h"

#include <initializer_list>
#include <string_view>

namespace picket::scrub {

inline void touch(Node& node, Pii pii, const Node& child, std::initializer_list<std::string_view> names) {
  for (const auto name : names)
    node.fields.push_back({name, &child, pii, {}});
}

inline void leave(Node& node, std::initializer_list<std::string_view> names) {
  for (const auto name : names)
    node.fields.push_back({name, nullptr, Pii::no, {}});
}

// A field with names of before.
inline void named(Node& node,
                  std::string_view name,
                  std::initializer_list<std::string_view> older,
                  const Node& child,
                  Pii pii = Pii::no) {
  node.fields.push_back({name, &child, pii, {}});
  for (const auto old : older)
    node.fields.push_back({old, &child, pii, name});
}

inline void record(Node& node, Types types = {}) {
  node.shape = Shape::record;
  node.types = types;
}

inline void list(Node& node, const Node& element, Pii pii = Pii::no) {
  node.shape = Shape::list;
  node.element = &element;
  node.element_pii = pii;
}

}  // namespace picket::scrub
