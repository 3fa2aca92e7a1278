#include "api/grouping/frame_parts.h"

#include "api/grouping/family.h"
#include "relay/protocol/glob.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace picket::grouping {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

template <class Is>
std::size_t run_of(std::string_view text, std::size_t from, Is is) {
  std::size_t at = from;
  while (at < text.size() && is(text[at])) ++at;
  return at - from;
}

constexpr std::string_view made_up = "<auto>";

// Javassist's proxies: "_$$_javassist_seam_3", "_$$_javassist_12". The end of what is replaced.
std::size_t javassist_end(std::string_view text, std::size_t at) {
  if (text.substr(at).starts_with("_seam")) at += 5;
  if (at < text.size() && text[at] == '_') {
    const auto digits = run_of(text, at + 1, is_digit);
    if (digits > 0) at += 1 + digits;
  }
  return at;
}

// Replaces the numbers that Java's code generators put behind their markers.
struct Marker {
  std::string_view text;
  enum class Follows { digits, hex, letters, javassist } follows;
};
constexpr std::array<Marker, 6> markers = {{
    {"sun.reflect.GeneratedSerializationConstructorAccessor", Marker::Follows::digits},
    {"sun.reflect.GeneratedConstructorAccessor", Marker::Follows::digits},
    {"CGLIB$$", Marker::Follows::hex},
    {"$HibernateProxy$", Marker::Follows::letters},
    {"$$_javassist", Marker::Follows::javassist},
    {"$fn__", Marker::Follows::digits},
}};

// The end of what a marker at `at` (past its text) is followed by, `at` itself when by nothing of it.
std::size_t generated_end(std::string_view text, std::size_t at, Marker::Follows follows) {
  if (follows == Marker::Follows::javassist) return javassist_end(text, at);
  if (follows == Marker::Follows::digits) return at + run_of(text, at, is_digit);
  if (follows == Marker::Follows::letters) return at + run_of(text, at, is_word);
  const auto hex = run_of(text, at, is_hex);
  if (hex == 0) return at;
  std::size_t end = at + hex;
  if (end < text.size() && text[end] == '_') {
    if (const auto digits = run_of(text, end + 1, is_digit); digits > 0) end += 1 + digits;
  }
  return end;
}

// A marker of CGLIB is preceded by "$$" and a word.
bool marker_begins_well(std::string_view text, std::size_t at, const Marker& marker) {
  if (marker.text != "CGLIB$$") return true;
  std::size_t begin = at;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return begin < at && begin >= 2 && text.substr(begin - 2, 2) == "$$";
}

std::optional<std::string> without_generated(std::string_view text, bool only_javassist) {
  if (text.find('$') == std::string_view::npos && !text.starts_with("sun.")) return std::nullopt;
  std::string out;
  bool changed = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto* marker = std::ranges::find_if(markers, [&](const Marker& each) {
      return text.substr(at).starts_with(each.text) &&
             (!only_javassist || each.follows == Marker::Follows::javassist) &&
             marker_begins_well(text, at, each);
    });
    if (marker == markers.end()) {
      out += text[at++];
      continue;
    }
    const auto begin = at + marker->text.size();
    const auto end = generated_end(text, begin, marker->follows);
    out += marker->text;
    at = begin;
    if (end == begin && marker->follows != Marker::Follows::javassist) continue;
    out += made_up;
    at = end;
    changed = true;
  }
  if (!changed) return std::nullopt;
  return out;
}

void module_of_java(Arena& arena, Component& part, std::string_view module) {
  if (module.find("$$Lambda$") != std::string_view::npos)
    return part.exclude({Reason::java_lambda, 0, {}});
  for (const std::string_view accessor : {"sun.reflect.GeneratedMethodAccessor",
                                          "jdk.internal.reflect.GeneratedMethodAccessor"}) {
    if (!module.starts_with(accessor)) continue;
    part.texts[0] = accessor;
    part.hint = {Reason::reflection, 0, {}};
    return;
  }
  if (const auto cleaned = without_generated(module, false)) {
    part.texts[0] = arena.keep(*cleaned);
    part.hint = {Reason::codegen, 0, {}};
  }
}

Component* module_part(Arena& arena, const Frame& frame, std::string_view platform) {
  if (frame.module.empty()) return arena.component(Part::module);
  auto* part = arena.leaf(Part::module, frame.module);
  const bool of_page = platform == "javascript" && frame.module.find('/') != std::string_view::npos &&
                       frame.abs_path.ends_with(frame.module);
  if (of_page) {
    part->exclude({Reason::page_module, 0, {}});
  } else if (platform == "java") {
    module_of_java(arena, *part, frame.module);
  } else if (platform == "php" && frame.module.starts_with("class@anonymous")) {
    part->exclude({Reason::anonymous_class, 0, {}});
  }
  return part;
}

Component* filename_part(Arena& arena, const Frame& frame) {
  const auto path = frame.filename;
  if (path.empty()) return arena.component(Part::filename);
  const auto slash = path.find_last_of("/\\");
  auto* part = arena.leaf(Part::filename,
                          arena.keep(relay::lower_case(slash == std::string_view::npos ? path : path.substr(slash + 1))));
  const auto name = part->texts[0];
  if (is_page_url(frame.abs_path)) {
    part->exclude({Reason::url_origin, 0, {}});
  } else if (name == "<anonymous>") {
    part->exclude({Reason::anonymous_file, 0, {}});
  } else if (name == "[native code]") {
    part->exclude({Reason::native_code, 0, {}});
  } else if (name.empty()) {
    part->contributes = false;
  } else if (const auto cleaned = without_generated(name, true)) {
    part->texts[0] = arena.keep(*cleaned);
    part->hint = {Reason::javassist, 0, {}};
  }
  return part;
}

// Ruby's templates are compiled to methods with a hash and a number: "_app_views_x_erb__1234_56789".
std::string_view without_erb_suffix(std::string_view name) {
  const auto digits_before = [&](std::size_t end) {
    std::size_t count = 0;
    while (count < end && is_digit(name[end - 1 - count])) ++count;
    return count;
  };
  const auto number = digits_before(name.size());
  if (number < 4 || number == name.size() || name[name.size() - number - 1] != '_') return name;
  const auto hash_end = name.size() - number - 1;
  const auto hash = digits_before(hash_end);
  if (hash < 4 || hash_end < hash + 2 || name.substr(hash_end - hash - 2, 2) != "__") return name;
  return name.substr(0, hash_end - hash - 2);
}

void function_of_php(Component& part, std::string_view name) {
  const bool of_class = name.starts_with("class@anonymous");
  const auto method = of_class ? name.rfind("::") : std::string_view::npos;
  if (method != std::string_view::npos) {
    part.texts[0] = name.substr(method + 2);
    part.hint = {Reason::php_class_method, 0, {}};
  } else if (of_class || name.starts_with("[Anonymous")) {
    part.exclude({Reason::php_anonymous, 0, {}});
  }
}

void function_of_ruby(Component& part, std::string_view name) {
  if (name.starts_with("block ")) {
    part.texts[0] = "block";
    part.hint = {Reason::ruby_block, 0, {}};
  } else if (const auto cleaned = without_erb_suffix(name); cleaned.size() != name.size()) {
    part.texts[0] = cleaned;
    part.hint = {Reason::erb_suffix, 0, {}};
  }
}

std::string_view after_last_dot(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

Component* function_part(Arena& arena, std::string_view name, std::string_view platform) {
  if (name.empty()) return arena.component(Part::function);
  auto* part = arena.leaf(Part::function, name);
  const auto family = family_of(platform);
  if (platform == "ruby") {
    function_of_ruby(*part, name);
  } else if (platform == "php") {
    function_of_php(*part, name);
  } else if (platform == "java") {
    if (name.starts_with("lambda$")) part->exclude({Reason::lambda_function, 0, {}});
  } else if (family == Family::native) {
    if (name == "<redacted>" || name == "<unknown>") part->exclude({Reason::unknown_function, 0, {}});
  } else if (family == Family::javascript) {
    if (const auto last = after_last_dot(name); last.size() != name.size()) {
      part->texts[0] = last;
      part->hint = {Reason::last_name_only, 0, {}};
    }
  }
  return part;
}

// The line with its runs of space as one each.
std::string joined_words(std::string_view line) {
  std::string out;
  bool gap = false;
  for (const char c : line) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      gap = true;
      continue;
    }
    if (gap && !out.empty()) out += ' ';
    gap = false;
    out += c;
  }
  return out;
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool shows_source(std::string_view platform) {
  constexpr std::array<std::string_view, 5> known = {"javascript", "node", "python", "php", "ruby"};
  return std::ranges::find(known, platform) != known.end();
}

Component* line_part(Arena& arena, const Frame& frame, std::string_view platform) {
  constexpr std::size_t longest = 120;
  const auto line = joined_words(frame.context_line);
  if (line.empty()) return arena.component(Part::context_line);
  auto* part = arena.leaf(Part::context_line, arena.keep(line));
  if (characters_of(frame.context_line) > longest) {
    part->exclude({Reason::long_line, 0, {}});
  } else if (family_of(platform) == Family::javascript && frame.function.empty() &&
             is_page_url(frame.abs_path)) {
    part->exclude({Reason::line_of_page, 0, {}});
  }
  return part;
}

// What browsers call functions and files that they know nothing about.
void judge_script_frame(Component& component, Component& function, const Frame& frame) {
  const auto name = after_last_dot(frame.raw_function.empty() ? frame.function : frame.raw_function);
  constexpr std::array<std::string_view, 5> unknown = {"?", "<anonymous function>", "<anonymous>",
                                                       "Anonymous function", "eval"};
  constexpr std::array<std::string_view, 4> nowhere = {"[native code]", "native code", "eval code",
                                                       "<anonymous>"};
  if (name.empty()) {
    function.contributes = false;
  } else if (std::ranges::find(unknown, name) != unknown.end() || name.ends_with("/<")) {
    function.exclude({Reason::unknown_script_function, 0, {}});
  }
  if (name == "eval" || std::ranges::find(nowhere, frame.abs_path) != nowhere.end())
    component.exclude({Reason::poor_script_frame, 0, {}});
}

}  // namespace

bool is_page_url(std::string_view path) {
  return path.starts_with("http:") || path.starts_with("https:") || path.starts_with("blob:") ||
         path.starts_with("applewebdata:");
}

Component* frame_component(Arena& arena,
                           const Frame& frame,
                           std::string_view event_platform,
                           std::string_view function) {
  const auto platform = platform_of(frame.platform, event_platform);
  auto* module = module_part(arena, frame, platform);
  auto* filename = filename_part(arena, frame);
  if (module->contributes && filename->contributes) filename->exclude({Reason::module_first, 0, {}});
  auto* name = function_part(arena, function, platform);
  Component* line = shows_source(platform) ? line_part(arena, frame, platform) : nullptr;
  if (frame.sourcemap && line != nullptr && line->contributes && name->has_texts)
    name->exclude({Reason::sourcemap_line, 0, {}});
  auto* component = arena.component(Part::frame);
  if (family_of(platform) == Family::javascript) judge_script_frame(*component, *name, frame);
  const auto verdict = component->hint;
  for (auto* part : {module, filename, name, line}) {
    if (part != nullptr) component->add(part);
  }
  if (verdict.reason != Reason::none) component->exclude(verdict);
  return component;
}

}  // namespace picket::grouping
