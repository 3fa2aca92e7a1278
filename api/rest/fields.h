// Reading a JSON body field by field, collecting what is wrong with each as Sentry words it:
// 400 {"name": ["This field is required."]}.
//
//   Fields fields(call);
//   const auto name = fields.text("name", {.most = 50, .required = true});
//   if (auto refusal = fields.refusal()) return *refusal;
#pragma once

#include "api/rest/router.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

struct TextRule {
  std::size_t most = 200;  // characters
  bool required = false;
  bool blank = false;  // "" is a value
};

// What a setting that is kept and echoed must look like.
enum class SettingKind : std::uint8_t { flag, integer, text, list, object, rate };
struct Setting {
  std::string_view name;
  SettingKind kind;
};

class Fields {
 public:
  explicit Fields(const Call& call);

  // nullopt: absent, null or wrong. Surrounding white space is cut off.
  std::optional<std::string> text(std::string_view name, const TextRule& rule = {});
  std::optional<std::string> text_item(std::string_view name,
                                       const boost::json::value& value,
                                       const TextRule& rule);
  std::optional<bool> flag(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
  const boost::json::array* list(std::string_view name, bool required = false);
  const boost::json::object* object(std::string_view name);
  std::optional<std::int64_t> time(std::string_view name);  // ms
  std::optional<std::int64_t> time_item(std::string_view name, const boost::json::value& value);
  bool is_null(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  // Copies those of `settings` that the body has and that fit into `options`.
  void keep(const std::vector<Setting>& settings, boost::json::object& options);

  void fail(std::string_view name, std::string_view message);
  std::optional<Reply> refusal() const;

 private:
  const boost::json::value* find(std::string_view name) const;

  const boost::json::object* body_ = nullptr;
  boost::json::object errors_;
};

// A number from 0 to 1.
bool is_sample_rate(const boost::json::value& value);

// Characters (not bytes) of UTF-8 text.
std::size_t length_of(std::string_view text);

}  // namespace picket::rest
