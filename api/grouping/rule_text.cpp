#include "api/grouping/rule_text.h"

namespace picket::grouping {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

void RuleText::skip_space() {
  while (!at_end() && is_space(text_[at_])) ++at_;
}

bool RuleText::take(char expected) {
  if (peek() != expected || at_end()) return false;
  ++at_;
  return true;
}

bool RuleText::take(std::string_view expected) {
  if (!text_.substr(at_).starts_with(expected)) return false;
  at_ += expected.size();
  return true;
}

std::string_view RuleText::word() {
  const auto begin = at_;
  while (!at_end() && is_name(text_[at_])) ++at_;
  return since(begin);
}

Result<std::string> RuleText::quoted() {
  const auto begin = at_++;
  std::string out;
  while (!at_end()) {
    const char c = text_[at_++];
    if (c == '"') return out;
    if (c == '\\' && peek() == '"') {
      out += text_[at_++];
    } else {
      out += c;
    }
  }
  at_ = begin;
  return wrong("a quotation is not closed");
}

Result<std::string> RuleText::argument(std::string_view ends) {
  if (peek() == '"') return quoted();
  const auto begin = at_;
  while (!at_end() && !is_space(text_[at_]) && ends.find(text_[at_]) == std::string_view::npos) ++at_;
  if (at_ == begin) return wrong("a value is missing");
  return std::string(since(begin));
}

Result<std::string> RuleText::argument() {
  return argument({});
}

Error RuleText::wrong(std::string_view what) const {
  return {Fault::malformed, "line " + std::to_string(line_) + ", column " + std::to_string(at_ + 1) + ": " +
                                std::string(what)};
}

}  // namespace picket::grouping
