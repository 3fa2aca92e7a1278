// An event payload as a tree that can be changed, and where in it one stands.
//
// THREADS  Any; a tree belongs to one.
#pragma once

#include "api/digest/text.h"

#include <boost/json.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::digest {

namespace json = boost::json;

// The object that a payload is (or the first object of the array that it is), read as the digest
// reads it: mended when it is not quite JSON, of members of one name the last one counts. What is
// nested deeper than 100 is null. Nothing when it cannot be read.
std::optional<json::object> read_tree(std::string_view payload, bool& repaired);

// nullptr also for null.
json::value* find(json::object& object, std::string_view name);
const json::value* find(const json::object& object, std::string_view name);
json::object* find_object(json::object& object, std::string_view name);
json::array* find_array(json::object& object, std::string_view name);
json::object& make_object(json::object& parent, std::string_view name);  // what is there is kept when it is one

// The text, or the number or boolean as text, as text_of() of the digest; nothing for the rest.
std::optional<std::string> scalar_text(const json::value& value);
std::optional<std::string> scalar_text(const json::object& object, std::string_view name);
std::string_view text_or(const json::object& object, std::string_view name, std::string_view otherwise = {});
std::optional<std::int64_t> time_ms(const json::value& value);  // as time_of() of the digest
std::optional<double> number_of(const json::object& object, std::string_view name);
std::optional<bool> flag_of(const json::value& value);

// Where a value is: a list of keys that lives on the stack.
class Place {
 public:
  Place() = default;
  Place(const Place& parent, std::string_view key) : parent_(&parent), key_(key) {}
  Place(const Place& parent, std::size_t index);
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const Place* parent() const { return parent_; }
  std::string_view key() const { return key_; }
  std::string name() const;  // "exception.values.0.type"

 private:
  const Place* parent_ = nullptr;
  std::string_view key_;
  std::array<char, 20> digits_{};
};

}  // namespace picket::digest
