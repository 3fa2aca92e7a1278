#include "api/rest/fields.h"

#include "relay/protocol/envelope.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;

namespace {

constexpr std::string_view white_space = " \t\r\n\v\f";

std::string_view trim(std::string_view text) {
  const auto from = text.find_first_not_of(white_space);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(white_space) - from + 1);
}

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "bool";
    case json::kind::int64: return "int";
    case json::kind::uint64: return "int";
    case json::kind::double_: return "float";
    case json::kind::string: return "str";
    case json::kind::array: return "list";
    case json::kind::object: return "dict";
  }
  std::abort();  // -Wswitch names the one someone forgot
}

bool fits(const json::value& value, SettingKind kind) {
  switch (kind) {
    case SettingKind::flag: return value.is_bool();
    case SettingKind::integer: return value.is_int64() || value.is_null();
    case SettingKind::text: return value.is_string() || value.is_null();
    case SettingKind::list: return value.is_array() || value.is_null();
    case SettingKind::object: return value.is_object() || value.is_null();
    case SettingKind::rate: return is_sample_rate(value) || value.is_null();
  }
  std::abort();
}

std::string_view complaint(SettingKind kind) {
  switch (kind) {
    case SettingKind::flag: return "Must be a valid boolean.";
    case SettingKind::integer: return "A valid integer is required.";
    case SettingKind::text: return "Not a valid string.";
    case SettingKind::list: return "Expected a list of items.";
    case SettingKind::object: return "Expected a dictionary of items.";
    case SettingKind::rate: return "Must be a number from 0 to 1.";
  }
  std::abort();
}

}  // namespace

bool is_sample_rate(const json::value& value) {
  if (!value.is_number()) return false;
  const auto rate = value.to_number<double>();
  return rate >= 0 && rate <= 1;
}

std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

Fields::Fields(const Call& call) : body_(call.body.if_object()) {
  if (body_ == nullptr && !call.body.is_null()) {
    fail("non_field_errors",
         "Invalid data. Expected a dictionary, but got " + std::string(kind_of(call.body)) + ".");
  }
}

const json::value* Fields::find(std::string_view name) const {
  return body_ == nullptr ? nullptr : body_->if_contains(name);
}

bool Fields::is_null(std::string_view name) const {
  const auto* value = find(name);
  return value != nullptr && value->is_null();
}

void Fields::fail(std::string_view name, std::string_view message) {
  auto& messages = errors_[name];
  if (!messages.is_array()) messages.emplace_array();
  messages.as_array().emplace_back(json::string(message));
}

std::optional<Reply> Fields::refusal() const {
  if (errors_.empty()) return std::nullopt;
  return Reply::invalid(errors_);
}

std::optional<std::string> Fields::text_item(std::string_view name,
                                             const json::value& value,
                                             const TextRule& rule) {
  std::string text;
  if (const auto* string = value.if_string()) {
    text = trim(std::string_view(string->data(), string->size()));
  } else if (value.is_int64()) {
    text = std::to_string(value.get_int64());
  } else {
    fail(name, "Not a valid string.");
    return std::nullopt;
  }
  if (text.find('\0') != std::string::npos) {
    fail(name, "Null characters are not allowed.");
  } else if (text.empty() && !rule.blank) {
    fail(name, "This field may not be blank.");
  } else if (length_of(text) > rule.most) {
    fail(name, "Ensure this field has no more than " + std::to_string(rule.most) + " characters.");
  } else {
    return text;
  }
  return std::nullopt;
}

std::optional<std::string> Fields::text(std::string_view name, const TextRule& rule) {
  const auto* value = find(name);
  if (value == nullptr) {
    if (rule.required) fail(name, "This field is required.");
    return std::nullopt;
  }
  if (value->is_null()) {
    if (rule.required) fail(name, "This field may not be null.");
    return std::nullopt;
  }
  return text_item(name, *value, rule);
}

std::optional<bool> Fields::flag(std::string_view name) {
  const auto* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (const auto* flag = value->if_bool()) return *flag;
  fail(name, "Must be a valid boolean.");
  return std::nullopt;
}

std::optional<std::int64_t> Fields::integer(std::string_view name,
                                            std::int64_t least,
                                            std::int64_t most) {
  const auto* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_int64()) {
    fail(name, "A valid integer is required.");
  } else if (value->get_int64() < least) {
    fail(name, "Ensure this value is greater than or equal to " + std::to_string(least) + ".");
  } else if (value->get_int64() > most) {
    fail(name, "Ensure this value is less than or equal to " + std::to_string(most) + ".");
  } else {
    return value->get_int64();
  }
  return std::nullopt;
}

const json::array* Fields::list(std::string_view name, bool required) {
  const auto* value = find(name);
  if (value == nullptr || value->is_null()) {
    if (required)
      fail(name, value == nullptr ? "This field is required." : "This field may not be null.");
    return nullptr;
  }
  if (const auto* array = value->if_array()) return array;
  fail(name, "Expected a list of items but got type \"" + std::string(kind_of(*value)) + "\".");
  return nullptr;
}

const json::object* Fields::object(std::string_view name) {
  const auto* value = find(name);
  if (value == nullptr || value->is_null()) return nullptr;
  if (const auto* object = value->if_object()) return object;
  fail(name,
       "Expected a dictionary of items but got type \"" + std::string(kind_of(*value)) + "\".");
  return nullptr;
}

std::optional<std::int64_t> Fields::time(std::string_view name) {
  const auto* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return time_item(name, *value);
}

std::optional<std::int64_t> Fields::time_item(std::string_view name, const json::value& value) {
  std::optional<std::int64_t> ms;
  if (const auto* string = value.if_string()) {
    ms = relay::parse_timestamp(std::string_view(string->data(), string->size()));
  } else if (value.is_int64() && value.get_int64() > 0 && value.get_int64() < 100'000'000'000) {
    ms = value.get_int64() * 1000;
  } else if (value.is_double() && value.get_double() > 0 && value.get_double() < 1e11) {
    ms = static_cast<std::int64_t>(value.get_double() * 1000.0);
  }
  if (!ms || render_time(*ms).is_null()) {
    fail(name, "Datetime has wrong format. Use YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].");
    return std::nullopt;
  }
  return ms;
}

void Fields::keep(const std::vector<Setting>& settings, json::object& options) {
  for (const auto& [name, kind] : settings) {
    const auto* value = find(name);
    if (value == nullptr) continue;
    if (fits(*value, kind)) {
      options[name] = *value;
    } else {
      fail(name, complaint(kind));
    }
  }
}

}  // namespace picket::rest
