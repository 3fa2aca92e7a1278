#include "relay/scrub/pattern.h"

#include <re2/re2.h>

#include <algorithm>

namespace picket::scrub {
namespace {

constexpr std::size_t max_expression_bytes = 64 * 1024;
constexpr std::size_t free_work_bytes = std::size_t{4} * 1024 * 1024;
constexpr std::size_t work_per_byte = 64;

std::size_t next_character(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U)
    ++at;
  return at;
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view expression, bool ignore_case, Text text) {
  if (expression.size() > max_expression_bytes)
    return Error{Fault::malformed, "the pattern is too long"};
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(!ignore_case);
  if (text == Text::bytes) {
    options.set_encoding(re2::RE2::Options::EncodingLatin1);
    options.set_dot_nl(true);
  }
  auto compiled = std::make_shared<const re2::RE2>(
      re2::StringPiece(expression.data(), expression.size()), options);
  if (!compiled->ok())
    return Error{Fault::malformed, "the pattern does not parse: " + compiled->error()};
  return Pattern(std::move(compiled));
}

bool Pattern::matches(std::string_view text) const {
  return expression_->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                            re2::RE2::UNANCHORED, nullptr, 0);
}

std::vector<Span> Pattern::find_all(std::string_view text, const std::vector<int>& groups) const {
  std::vector<Span> spans;
  const int highest = groups.empty() ? -1 : *std::max_element(groups.begin(), groups.end());
  const int count = std::min(highest, expression_->NumberOfCapturingGroups()) + 1;
  if (count == 0) return spans;
  std::vector<re2::StringPiece> found(static_cast<std::size_t>(count));
  const re2::StringPiece piece(text.data(), text.size());
  const auto budget = free_work_bytes + work_per_byte * text.size();
  std::size_t work = 0;
  std::size_t at = 0;     // where the next match may start
  std::size_t floor = 0;  // where the last span ended
  while (at <= text.size() &&
         expression_->Match(piece, at, text.size(), re2::RE2::UNANCHORED, found.data(), count)) {
    for (int group = 0; group < count; ++group) {
      const auto& part = found[static_cast<std::size_t>(group)];
      if (part.data() == nullptr || part.empty() ||
          std::find(groups.begin(), groups.end(), group) == groups.end())
        continue;
      const auto begin = std::max(floor, static_cast<std::size_t>(part.data() - text.data()));
      const auto end = static_cast<std::size_t>(part.data() - text.data()) + part.size();
      if (begin >= end) continue;
      spans.push_back({begin, end});
      floor = end;
    }
    work += text.size() - at;
    const auto end = static_cast<std::size_t>(found[0].data() - text.data()) + found[0].size();
    at = end > at || !found[0].empty() ? end : next_character(text, at);
    if (found[0].empty() && end == at) at = next_character(text, at);
    if (work > budget) {
      if (floor < text.size()) spans.push_back({floor, text.size()});
      break;
    }
  }
  return spans;
}

}  // namespace picket::scrub
