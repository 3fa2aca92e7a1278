#include "api/rest/render.h"

namespace picket::rest {

namespace json = boost::json;

json::value text_or_null(std::string_view text) {
  if (text.empty()) return nullptr;
  return json::string(text);
}

json::object render_avatar() {
  return {{"avatarType", "letter_avatar"}, {"avatarUuid", nullptr}, {"avatarUrl", nullptr}};
}

json::object render_user(const schema::User& user) {
  const auto id = std::to_string(user.id());
  const auto& name = user.name().empty() ? user.username() : user.name();
  const json::object email{{"id", id}, {"email", user.email()}, {"is_verified", true}};
  return {
      {"id", id},
      {"name", name},
      {"username", user.username()},
      {"email", user.email()},
      {"avatarUrl", nullptr},
      {"isActive", user.active()},
      {"hasPasswordAuth", false},
      {"isManaged", false},
      {"dateJoined", render_time(user.created_ms())},
      {"lastLogin", nullptr},
      {"has2fa", false},
      {"lastActive", nullptr},
      {"isSuperuser", false},
      {"isStaff", false},
      {"experiments", json::object()},
      {"emails", json::array{email}},
      {"avatar", render_avatar()},
  };
}

json::object parse_options(std::string_view options_json) {
  if (options_json.empty()) return {};
  json::error_code error;
  auto value = json::parse(options_json, error);
  if (error || !value.is_object()) return {};
  return std::move(value.as_object());
}

}  // namespace picket::rest
