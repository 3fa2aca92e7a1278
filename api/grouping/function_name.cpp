#include "api/grouping/function_name.h"

#include "api/grouping/family.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace picket::grouping {
namespace {

// Operators hold brackets that do not pair, and the anonymous namespace of one compiler a space.
// While a name is taken apart a control character stands for each.
struct StandIn {
  std::string_view text;
  char mark;
};
constexpr StandIn stand_ins[] = {
    {"operator<<", '\x01'}, {"operator<", '\x02'}, {"operator()", '\x03'},
    {"`anonymous namespace'", '\x04'}, {" -> ", '\x05'}, {"operator->", '\x06'},
    {"operator>>", '\x07'},
};
constexpr std::string_view arrow = "\x05";

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// How many characters of `text` are hex digits, at most `most`.
std::size_t hex_run(std::string_view text, std::size_t most) {
  std::size_t length = 0;
  while (length < text.size() && length < most && is_hex(text[length])) ++length;
  return length;
}

std::size_t digit_run(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  return length;
}

// The length of a lambda's made-up name at `at`, 0 when there is none: "$_12", "lambda_<32 hex>",
// "{lambda(int)#1}".
std::size_t lambda_at(std::string_view name, std::size_t at) {
  const auto rest = name.substr(at);
  if (rest.starts_with("$_")) {
    const auto digits = digit_run(rest.substr(2));
    const auto end = 2 + digits;
    return digits > 0 && (end == rest.size() || !is_word(rest[end])) ? end : 0;
  }
  if (rest.starts_with("lambda_") && (at == 0 || !is_word(name[at - 1])) &&
      hex_run(rest.substr(7), 33) == 32)
    return rest.size() == 39 || !is_word(rest[39]) ? 39 : 0;
  if (rest.starts_with("{lambda(")) {
    const auto number = rest.find(")#");
    if (number == std::string_view::npos) return 0;
    const auto end = number + 2 + digit_run(rest.substr(number + 2));
    return end < rest.size() && rest[end] == '}' ? end + 1 : 0;
  }
  return 0;
}

// "?A0x1234abcd::" names an anonymous namespace by a hash.
bool is_hashed_namespace(std::string_view rest) {
  return rest.size() >= 14 && rest.starts_with("?A0x") && hex_run(rest.substr(4), 8) == 8 &&
         rest.substr(12, 2) == "::";
}

std::string with_stand_ins(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  for (std::size_t at = 0; at < name.size();) {
    const auto rest = name.substr(at);
    const auto* known = std::ranges::find_if(
        stand_ins, [&](const StandIn& each) { return rest.starts_with(each.text); });
    if (known != std::end(stand_ins)) {
      out += known->mark;
      at += known->text.size();
    } else if (const auto lambda = lambda_at(name, at); lambda > 0) {
      out += "lambda";
      at += lambda;
    } else if (is_hashed_namespace(rest)) {
      out += '\x04';
      at += 12;
    } else {
      if (static_cast<unsigned char>(name[at]) >= ' ' || name[at] == '\t') out += name[at];
      ++at;
    }
  }
  return out;
}

std::string without_stand_ins(std::string_view name) {
  std::string out;
  out.reserve(name.size() + 16);
  for (const char c : name) {
    const auto* known =
        std::ranges::find_if(stand_ins, [&](const StandIn& each) { return each.mark == c; });
    if (known == std::end(stand_ins)) {
      out += c;
    } else {
      out += known->text;
    }
  }
  return out;
}

// Calls `replace(inside, start)` for each outermost bracketed part and puts its answer there. What is
// not closed is dropped.
template <class Replace>
std::string replace_enclosed(std::string_view text, char open, char close, const Replace& replace) {
  std::string out;
  std::size_t depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == open) {
      if (depth++ == 0) begin = at;
    } else if (c == close && depth > 0) {
      if (--depth == 0) out += replace(text.substr(begin + 1, at - begin - 1), begin);
    } else if (depth == 0) {
      out += c;
    }
  }
  return out;
}

std::string arguments(std::string_view inside, std::size_t) {
  const auto name = trim(inside);
  if (name == "anonymous namespace" || name == "operator") return '(' + std::string(name) + ')';
  return {};
}

// At the beginning of a name it is not arguments of a template but Rust's "<Type as Trait>" that is
// between angle brackets; for a type that is just a letter the trait says more.
std::string generics(std::string_view inside, std::size_t start, int depth) {
  if (inside == "lambda") return "<lambda>";
  if (start > 0) return "<T>";
  if (inside.size() > 5 && inside[0] >= 'A' && inside[0] <= 'Z' && inside.substr(1, 4) == " as ")
    inside.remove_prefix(5);
  constexpr int deepest = 16;
  std::string out = depth < deepest
                        ? replace_enclosed(inside, '<', '>',
                                           [&](std::string_view within, std::size_t at) {
                                             return generics(within, at, depth + 1);
                                           })
                        : std::string(inside);
  if (const auto as = out.find(" as "); as != std::string::npos) out.resize(as);
  return out;
}

// By spaces that are not within brackets.
std::vector<std::string_view> tokens_of(std::string_view name) {
  std::vector<std::string_view> tokens;
  constexpr std::string_view opening = "([{<";
  constexpr std::string_view closing = ")]}>";
  std::string open;
  std::size_t begin = 0;
  const auto take = [&](std::size_t end) {
    if (end > begin) tokens.push_back(name.substr(begin, end - begin));
    begin = end;
  };
  for (std::size_t at = 0; at < name.size(); ++at) {
    const char c = name[at];
    if (open.empty() && is_space(c)) {
      take(at);
      begin = at + 1;
    } else if (open.empty() && c == arrow[0]) {
      take(at);
      take(at + 1);
    } else if (const auto kind = opening.find(c); kind != std::string_view::npos) {
      open += closing[kind];
    } else if (!open.empty() && c == open.back()) {
      open.pop_back();
    }
  }
  take(name.size());
  return tokens;
}

std::string_view without_trailers(std::string_view name) {
  for (;;) {
    name = trim(name);
    if (name.ends_with(" const") || name.ends_with(")const")) {
      name.remove_suffix(5);
    } else if (name.ends_with('&')) {
      name.remove_suffix(1);
    } else {
      return name;
    }
  }
}

// The last token is the name, or the one before "->" where the type comes after; a generic operator's
// brackets may stand apart.
std::string name_among(const std::vector<std::string_view>& tokens) {
  if (tokens.empty()) return {};
  const auto mark = std::ranges::find(tokens, arrow);
  if (mark != tokens.end() && mark != tokens.begin()) return std::string(*(mark - 1));
  if (mark == tokens.begin()) return std::string(tokens.back());
  if (tokens.size() > 1 && tokens.back() == "<T>")
    return std::string(tokens[tokens.size() - 2]) + "<T>";
  return std::string(tokens.back());
}

// Rust's "::h" and sixteen hex digits; "@12", the size of the arguments, on Windows.
std::string without_hashes(std::string name) {
  if (name.size() > 19 && name[name.size() - 19] == ':' &&
      name.substr(name.size() - 19, 3) == "::h" &&
      hex_run(std::string_view(name).substr(name.size() - 16), 16) == 16)
    name.resize(name.size() - 19);
  const auto at = name.rfind('@');
  const bool sized = at != std::string::npos && at > 0 && at + 1 < name.size() &&
                     digit_run(std::string_view(name).substr(at + 1)) == name.size() - at - 1;
  if (sized) {
    name.resize(at);
    if (name.starts_with('@')) name.erase(0, 1);
  }
  return name;
}

std::string trimmed_native(std::string_view name) {
  if (name == "<redacted>" || name == "<unknown>") return std::string(name);
  const auto stripped = trim(name);
  if (stripped.starts_with('[') || stripped.starts_with("+[") || stripped.starts_with("-["))
    return std::string(stripped);
  auto left = with_stand_ins(without_trailers(stripped));
  left = replace_enclosed(left, '(', ')', arguments);
  left = replace_enclosed(left, '<', '>', [](std::string_view inside, std::size_t start) {
    return generics(inside, start, 0);
  });
  auto found = name_among(tokens_of(left));
  if (found.empty()) return without_hashes(std::string(name));
  return without_hashes(without_stand_ins(found));
}

std::string trimmed_managed(std::string_view name) {
  const auto stripped = trim(name);
  const auto shortened = replace_enclosed(stripped, '(', ')', arguments);
  const auto tokens = tokens_of(shortened);
  if (tokens.empty()) return std::string(name);
  return std::string(tokens.back());
}

}  // namespace

std::string trimmed_function(std::string_view name, std::string_view platform) {
  if (platform == "csharp") return trimmed_managed(name);
  if (family_of(platform) == Family::native) return trimmed_native(name);
  return std::string(name);
}

}  // namespace picket::grouping
