#include "relay/scrub/blob.h"

#include "relay/scrub/redaction.h"

#include <algorithm>

namespace picket::scrub {
namespace {

constexpr std::size_t shortest_wide_text = 5;

// What stands for a span, cut or filled up with asterisks to its length.
std::string fitted(const Redaction& redaction, std::string_view text) {
  auto replacement = redaction.removes() || redaction.method == Redaction::Method::mask
                         ? std::string()
                         : redact(redaction, text);
  replacement.resize(text.size(), '*');
  return replacement;
}

std::vector<Span> find_spans(const Rule& rule, std::string_view text) {
  const auto whole_if = [&text](bool matches) {
    return matches && !text.empty() ? std::vector<Span>{{0, text.size()}} : std::vector<Span>();
  };
  switch (rule.kind) {
    case Rule::Kind::anything: return whole_if(true);
    case Rule::Kind::detector: return find_all(rule.detector, text);
    case Rule::Kind::pattern: return rule.bytes_pattern->find_all(text, rule.groups);
    case Rule::Kind::password: return whole_if(has_password_word(text) || has_token(text));
    case Rule::Kind::key_words: return whole_if(rule.words->groups_in(text) != 0);
    case Rule::Kind::key_pattern: return whole_if(rule.bytes_pattern->matches(text));
  }
  std::abort();
}

bool overwrite(const Rule& rule, std::string& bytes, std::size_t begin, std::size_t end) {
  const std::string_view text = std::string_view(bytes).substr(begin, end - begin);
  const auto spans = find_spans(rule, text);
  std::vector<std::string> replacements;
  for (const auto& span : spans)
    replacements.push_back(fitted(rule.redaction, text.substr(span.begin, span.end - span.begin)));
  for (std::size_t i = 0; i < spans.size(); ++i)
    bytes.replace(begin + spans[i].begin, replacements[i].size(), replacements[i]);
  return !spans.empty();
}

// Texts in UTF-16, little-endian, as far as they are ASCII.
bool overwrite_wide(const Rule& rule, std::string& bytes, std::size_t begin, std::size_t end) {
  bool changed = false;
  std::string text;
  std::size_t at = begin;
  while (at + 1 < end) {
    const auto start = at;
    text.clear();
    while (at + 1 < end && bytes[at] >= ' ' && bytes[at] <= '~' && bytes[at + 1] == '\0') {
      text += bytes[at];
      at += 2;
    }
    if (text.size() >= shortest_wide_text && overwrite(rule, text, 0, text.size())) {
      changed = true;
      for (std::size_t i = 0; i < text.size(); ++i)
        bytes[start + 2 * i] = text[i];
    }
    if (at == start) ++at;
  }
  return changed;
}

// The last part of a path is kept: symbols are found by it.
std::size_t end_of_folder(std::string_view path, bool wide) {
  const auto slash = path.find_last_of("/\\");
  if (slash == std::string_view::npos) return 0;
  return wide ? slash - slash % 2 : slash;
}

bool scrub_place(const RuleSet& rules,
                 const Place& place,
                 std::string& bytes,
                 std::size_t begin,
                 std::size_t end,
                 bool narrow,
                 bool wide) {
  bool changed = false;
  for (const auto& application : rules.applications()) {
    if (!application.advanced || !application.selector.matches(place)) continue;
    for (const auto& rule : application.rules) {
      if (narrow) changed = overwrite(rule, bytes, begin, end) || changed;
      if (wide) changed = overwrite_wide(rule, bytes, begin, end) || changed;
    }
  }
  return changed;
}

bool scrub_part(const RuleSet& rules, const Place& file, const DumpPart& part, std::string& bytes) {
  Place place;
  place.parent = &file;
  place.pii = Pii::yes;
  place.depth = 2;
  place.types = ValueType::binary;
  auto end = part.end;
  bool narrow = true;
  bool wide = true;
  switch (part.kind) {
    case DumpPart::Kind::stack:
      place.key = "stack_memory";
      place.types = Types(ValueType::binary) | ValueType::stack_memory;
      place.pii = Pii::maybe;
      break;
    case DumpPart::Kind::heap:
      place.key = "heap_memory";
      place.types = Types(ValueType::binary) | ValueType::heap_memory;
      break;
    case DumpPart::Kind::process: break;
    case DumpPart::Kind::code_file:
    case DumpPart::Kind::debug_file: {
      const bool code = part.kind == DumpPart::Kind::code_file;
      place.key = code ? "code_file" : "debug_file";
      place.types = ValueType::string;
      narrow = !code;
      wide = code;
      end = part.begin +
            end_of_folder(std::string_view(bytes).substr(part.begin, part.end - part.begin), code);
      break;
    }
  }
  return end > part.begin && scrub_place(rules, place, bytes, part.begin, end, narrow, wide);
}

}  // namespace

std::optional<std::string> scrub_attachment(const RuleSet& rules,
                                            std::string_view file_name,
                                            std::string_view content) {
  const auto& applications = rules.applications();
  if (std::none_of(applications.begin(), applications.end(),
                   [](const Application& application) { return application.advanced; }))
    return std::nullopt;
  Place root;
  root.types = ValueType::attachments;
  Place file;
  file.parent = &root;
  file.key = file_name;
  file.pii = Pii::yes;
  file.depth = 1;

  std::string bytes;
  bool changed = false;
  if (is_minidump(content)) {
    file.types = ValueType::minidump;
    const auto parts = find_dump_parts(content);
    if (parts.empty()) return std::nullopt;
    bytes = content;
    for (const auto& part : parts)
      changed = scrub_part(rules, file, part, bytes) || changed;
  } else {
    file.types = ValueType::binary;
    const bool matches = std::any_of(
        applications.begin(), applications.end(), [&file](const Application& application) {
          return application.advanced && application.selector.matches(file);
        });
    if (!matches) return std::nullopt;
    bytes = content;
    changed = scrub_place(rules, file, bytes, 0, bytes.size(), true, true);
  }
  if (!changed || bytes == content) return std::nullopt;
  return bytes;
}

}  // namespace picket::scrub
