#include "relay/filter/condition.h"

#include "relay/protocol/glob.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace picket::filter {

struct Condition::Node {
  enum class Op : std::uint8_t { and_, or_, not_, eq, gt, gte, lt, lte, glob, any, all };
  Op op = Op::and_;
  std::string name;
  std::vector<Scalar> values;  // eq
  bool ignore_case = false;    // eq
  double number = 0;           // gt, gte, lt, lte
  relay::GlobSet globs;               // glob
  std::vector<Node> inner;     // and, or: any number; not, any, all: one
};

namespace {

using Node = Condition::Node;
using Op = Node::Op;
using Json = simdjson::dom::element;

Error malformed(std::string detail) {
  return Error{Fault::malformed, std::move(detail)};
}

std::optional<Op> parse_op(std::string_view word) {
  constexpr std::pair<std::string_view, Op> words[] = {
      {"and", Op::and_}, {"or", Op::or_},   {"not", Op::not_}, {"eq", Op::eq},
      {"gt", Op::gt},    {"gte", Op::gte},  {"lt", Op::lt},    {"lte", Op::lte},
      {"glob", Op::glob}, {"any", Op::any}, {"all", Op::all}};
  for (const auto& [name, op] : words) {
    if (name == word) return op;
  }
  return std::nullopt;
}

std::optional<Scalar> to_scalar(Json json) {
  std::string_view text;
  double number = 0;
  bool flag = false;
  if (json.is_null()) return Scalar();
  if (json.get(text) == simdjson::SUCCESS) return Scalar(std::string(text));
  if (json.get(flag) == simdjson::SUCCESS) return Scalar(flag);
  if (json.get_double().get(number) == simdjson::SUCCESS) return Scalar(number);
  return std::nullopt;
}

class Parser {
 public:
  Result<Node> parse(Json json, std::size_t depth) {
    if (depth > Condition::deepest) return Error{Fault::too_large, "conditions nest too deeply"};
    if (++nodes_ > Condition::most_nodes) return Error{Fault::too_large, "too many conditions"};
    simdjson::dom::object object;
    if (json.get(object) != simdjson::SUCCESS) return malformed("a condition is not an object");
    std::string_view word;
    if (object["op"].get(word) != simdjson::SUCCESS) return malformed("a condition has no op");
    const auto op = parse_op(word);
    if (!op) return malformed("unknown op \"" + std::string(word.substr(0, 50)) + "\"");
    Node node;
    node.op = *op;
    if (auto read = read_parts(node, object, word, depth); !read) return read.error();
    return node;
  }

 private:
  Result<void> read_parts(Node& node,
                          const simdjson::dom::object& object,
                          std::string_view word,
                          std::size_t depth) {
    const auto said = [&](std::string_view what) {
      return malformed("\"" + std::string(word) + "\" " + std::string(what));
    };
    if (node.op != Op::and_ && node.op != Op::or_ && node.op != Op::not_) {
      std::string_view name;
      if (object["name"].get(name) != simdjson::SUCCESS || name.empty())
        return said("needs a name");
      node.name = name;
    }
    switch (node.op) {
      case Op::and_:
      case Op::or_: return read_list(node, object, said, depth);
      case Op::not_:
      case Op::any:
      case Op::all: {
        Json inner;
        if (object["inner"].get(inner) != simdjson::SUCCESS) return said("needs an inner condition");
        auto parsed = parse(inner, depth + 1);
        if (!parsed) return parsed.error();
        node.inner.push_back(*std::move(parsed));
        return {};
      }
      case Op::eq: return read_values(node, object, said);
      case Op::glob: return read_globs(node, object, said);
      case Op::gt:
      case Op::gte:
      case Op::lt:
      case Op::lte:
        if (object["value"].get_double().get(node.number) != simdjson::SUCCESS)
          return said("needs a number");
        return {};
    }
    std::abort();
  }

  template <class Said>
  Result<void> read_list(Node& node,
                         const simdjson::dom::object& object,
                         const Said& said,
                         std::size_t depth) {
    simdjson::dom::array list;
    if (object["inner"].get(list) != simdjson::SUCCESS)
      return said("needs a list of inner conditions");
    for (const auto inner : list) {
      auto parsed = parse(inner, depth + 1);
      if (!parsed) return parsed.error();
      node.inner.push_back(*std::move(parsed));
    }
    return {};
  }

  template <class Said>
  static Result<void> read_values(Node& node,
                                  const simdjson::dom::object& object,
                                  const Said& said) {
    if (object["options"]["ignoreCase"].get(node.ignore_case) != simdjson::SUCCESS)
      node.ignore_case = false;
    Json value;
    if (object["value"].get(value) != simdjson::SUCCESS) return said("needs a value");
    simdjson::dom::array list;
    if (value.get(list) != simdjson::SUCCESS) {
      const auto scalar = to_scalar(value);
      if (!scalar) return said("compares with a scalar or a list of them");
      node.values.push_back(*scalar);
      return {};
    }
    for (const auto one : list) {
      const auto scalar = to_scalar(one);
      if (!scalar) return said("compares with a scalar or a list of them");
      node.values.push_back(*scalar);
    }
    return {};
  }

  template <class Said>
  static Result<void> read_globs(Node& node,
                                 const simdjson::dom::object& object,
                                 const Said& said) {
    std::vector<std::string> patterns;
    simdjson::dom::array list;
    std::string_view text;
    if (object["value"].get(text) == simdjson::SUCCESS) {
      patterns.emplace_back(text);
    } else if (object["value"].get(list) == simdjson::SUCCESS) {
      for (const auto one : list) {
        if (one.get(text) != simdjson::SUCCESS) return said("needs a list of patterns");
        patterns.emplace_back(text);
      }
    } else {
      return said("needs a list of patterns");
    }
    auto globs = relay::GlobSet::parse(patterns);
    if (!globs) return globs.error();
    node.globs = *std::move(globs);
    return {};
  }

  std::size_t nodes_ = 0;
};

bool equal(const Scalar& wanted, const Scalar& found, bool ignore_case) {
  const auto* a = std::get_if<std::string>(&wanted);
  const auto* b = std::get_if<std::string>(&found);
  if (ignore_case && a != nullptr && b != nullptr) return relay::lower_case(*a) == relay::lower_case(*b);
  return wanted == found;
}

bool compare(Op op, double found, double wanted) {
  if (op == Op::gt) return found > wanted;
  if (op == Op::gte) return found >= wanted;
  if (op == Op::lt) return found < wanted;
  return found <= wanted;
}

bool holds(const Node& node, const Fields& fields) {
  const auto inner = [&fields](const Node& one) { return holds(one, fields); };
  switch (node.op) {
    case Op::and_: return std::all_of(node.inner.begin(), node.inner.end(), inner);
    case Op::or_: return std::any_of(node.inner.begin(), node.inner.end(), inner);
    case Op::not_: return !inner(node.inner.front());
    case Op::eq: {
      const auto found = fields.value(node.name);
      return std::any_of(node.values.begin(), node.values.end(), [&](const Scalar& value) {
        return equal(value, found, node.ignore_case);
      });
    }
    case Op::gt:
    case Op::gte:
    case Op::lt:
    case Op::lte: {
      const auto found = fields.value(node.name);
      const auto* number = std::get_if<double>(&found);
      return number != nullptr && compare(node.op, *number, node.number);
    }
    case Op::glob: {
      const auto found = fields.value(node.name);
      const auto* text = std::get_if<std::string>(&found);
      return text != nullptr && node.globs.matches(*text);
    }
    case Op::any:
    case Op::all: {
      const bool stop_at = node.op == Op::any;
      bool stopped = false;
      const bool there = fields.each(node.name, [&](const Fields& element) {
        stopped = holds(node.inner.front(), element) == stop_at;
        return stopped;
      });
      return there && stopped == stop_at;
    }
  }
  std::abort();
}

// What is within `any` and `all` names parts of their element.
bool names_only(const Node& node, std::string_view prefix) {
  const auto inner = [prefix](const Node& one) { return names_only(one, prefix); };
  switch (node.op) {
    case Op::and_:
    case Op::or_:
    case Op::not_: return std::all_of(node.inner.begin(), node.inner.end(), inner);
    case Op::eq:
    case Op::gt:
    case Op::gte:
    case Op::lt:
    case Op::lte:
    case Op::glob:
    case Op::any:
    case Op::all: return node.name.starts_with(prefix);
  }
  std::abort();
}

}  // namespace

Result<Condition> Condition::parse(std::string_view json) {
  simdjson::dom::parser parser;
  Json root;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS)
    return malformed("a condition is not JSON");
  auto node = Parser().parse(root, 1);
  if (!node) return node.error();
  return Condition(std::make_shared<const Node>(*std::move(node)));
}

bool Condition::matches(const Fields& fields) const {
  return holds(*root_, fields);
}

bool Condition::reads_only(std::string_view prefix) const {
  return names_only(*root_, prefix);
}

}  // namespace picket::filter
