// The condition language that generic filters and sampling rules share.
//
//   {"op": "and" | "or", "inner": [condition, …]}      {"op": "not", "inner": condition}
//   {"op": "eq", "name": field, "value": scalar | [scalar, …], "options": {"ignoreCase": true}}
//   {"op": "gt" | "gte" | "lt" | "lte", "name": field, "value": number}
//   {"op": "glob", "name": field, "value": [pattern, …]}
//   {"op": "any" | "all", "name": array field, "inner": condition on an element}
//
// A field that is not there equals null, is less and greater than nothing, and matches no glob. A
// scalar of null in `eq` is a field that is not there. An empty "and" holds, an empty "or" does not.
// https://docs.rs/relay-protocol (RuleCondition)
//
// THREADS  Immutable; from any thread.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace picket::filter {

using Scalar = std::variant<std::monostate, bool, double, std::string>;

// What a condition reads: dotted names to values.
class Fields {
 public:
  virtual ~Fields() = default;
  virtual Scalar value(std::string_view name) const = 0;
  // Shows each element of the array until `visit` returns true. Nothing when there is no array.
  using Visit = std::function<bool(const Fields& element)>;
  virtual bool each(std::string_view name, const Visit& visit) const = 0;  // whether there is one
};

class Condition {
 public:
  static constexpr std::size_t deepest = 16;
  static constexpr std::size_t most_nodes = 1000;

  // Fault::malformed says what is wrong; Fault::too_large past the limits.
  static Result<Condition> parse(std::string_view json);

  bool matches(const Fields& fields) const;

  // Whether every field that it reads begins with that, "trace." for one.
  bool reads_only(std::string_view prefix) const;

  struct Node;

 private:
  explicit Condition(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace picket::filter
