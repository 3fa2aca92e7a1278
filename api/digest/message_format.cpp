#include "api/digest/message_format.h"

#include <cctype>
#include <charconv>
#include <optional>

namespace picket::digest {
namespace {

class Formatter {
 public:
  Formatter(std::string_view message, const MessageParams& params)
      : rest_(message), params_(params) {}

  std::string run() {
    while (!rest_.empty()) {
      const auto plain = rest_.substr(0, rest_.find_first_of("%{"));
      out_ += plain;
      rest_.remove_prefix(plain.size());
      if (rest_.empty()) break;
      if (!(rest_[0] == '%' ? percent() : brace())) {
        out_ += rest_[0];
        rest_.remove_prefix(1);
      }
    }
    return std::move(out_);
  }

 private:
  // False when there is no placeholder here, or none that a parameter fills.
  bool percent() {
    if (rest_.starts_with("%%")) return put("%", 2);
    std::size_t at = 1;
    std::optional<std::string_view> name;
    if (rest_.substr(at).starts_with('(')) {
      const auto end = rest_.find(')', at);
      if (end == std::string_view::npos) return false;
      name = rest_.substr(at + 1, end - at - 1);
      at = end + 1;
    }
    at = rest_.find_first_not_of("#0-+ .123456789hlLqjzt*", at);
    if (at == std::string_view::npos || std::isalpha(static_cast<unsigned char>(rest_[at])) == 0)
      return false;
    const auto value = name ? named(*name) : next();
    return value && put(*value, at + 1);
  }

  bool brace() {
    const auto end = rest_.find('}');
    if (end == std::string_view::npos) return false;
    auto name = rest_.substr(1, end - 1);
    name = name.substr(0, name.find_first_of(":!"));
    std::optional<std::string_view> value;
    std::size_t index = 0;
    const auto [stopped, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (name.empty()) {
      value = next();
    } else if (error == std::errc{} && stopped == name.data() + name.size()) {
      if (index < params_.size()) value = params_[index].second;
    } else {
      value = named(name);
    }
    return value && put(*value, end + 1);
  }

  bool put(std::string_view value, std::size_t consumed) {
    out_ += value;
    rest_.remove_prefix(consumed);
    return true;
  }

  std::optional<std::string_view> next() {
    if (next_ >= params_.size()) return std::nullopt;
    return params_[next_++].second;
  }

  std::optional<std::string_view> named(std::string_view name) const {
    for (const auto& [key, value] : params_) {
      if (key == name && !name.empty()) return value;
    }
    return std::nullopt;
  }

  std::string_view rest_;
  const MessageParams& params_;
  std::size_t next_ = 0;
  std::string out_;
};

}  // namespace

std::string format_message(std::string_view message, const MessageParams& params) {
  return Formatter(message, params).run();
}

}  // namespace picket::digest
