#include "relay/ingest/stack_text.h"

#include "relay/ingest/envelope_writer.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

constexpr std::size_t most_frames = 250;
constexpr std::size_t longest_line = 4'096;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "path:12" or "path:12:7"; false when there is no number at the end.
bool take_place(std::string_view text, StackLine& frame) {
  const auto last = text.rfind(':');
  if (last == std::string_view::npos) return false;
  const auto number = parse_number(text.substr(last + 1));
  if (!number) return false;
  frame.path = text.substr(0, last);
  frame.line = *number;
  const auto before = frame.path.rfind(':');
  if (before == std::string_view::npos) return true;
  if (const auto line = parse_number(frame.path.substr(before + 1))) {
    frame.column = frame.line;
    frame.line = *line;
    frame.path = frame.path.substr(0, before);
  }
  return true;
}

// "a.b.C.m" → module "a.b.C", function "m".
void take_dotted(std::string_view name, StackLine& frame) {
  const auto dot = name.rfind('.');
  frame.function = dot == std::string_view::npos ? name : name.substr(dot + 1);
  if (dot != std::string_view::npos) frame.module = name.substr(0, dot);
  if (frame.module.ends_with('.')) frame.module.remove_suffix(1);  // of "Cart..ctor"
}

// After "at ": Java's, .NET's or V8's.
std::optional<StackLine> parse_at(std::string_view text) {
  StackLine frame;
  if (const auto in = text.rfind(") in "); in != std::string_view::npos) {  // .NET with symbols
    const auto line = text.rfind(":line ");
    take_dotted(text.substr(0, text.find('(')), frame);
    if (line != std::string_view::npos && line > in) {
      frame.path = text.substr(in + 5, line - in - 5);
      frame.line = parse_number(trim(text.substr(line + 6))).value_or(0);
    }
    return frame;
  }
  const auto open = text.rfind('(');
  if (!text.ends_with(')') || open == std::string_view::npos) {  // V8 without a function
    if (text.starts_with("async ")) text.remove_prefix(6);
    if (!take_place(text, frame)) return std::nullopt;
    return frame;
  }
  const auto inside = text.substr(open + 1, text.size() - open - 2);
  const auto name = trim(text.substr(0, open));
  if (open > 0 && text[open - 1] == ' ') {  // V8: a space before the parenthesis
    frame.function = name;
    if (frame.function.starts_with("async ")) frame.function.remove_prefix(6);
    if (!take_place(inside, frame)) frame.path = inside;
    return frame;
  }
  take_dotted(name.substr(0, name.find('(')), frame);
  const bool java = take_place(inside, frame) || inside == "Native Method" ||
                    inside == "Unknown Source" || inside.ends_with(".java") ||
                    inside.ends_with(".kt");
  if (java && frame.path.empty() && inside.find('.') != std::string_view::npos) frame.path = inside;
  if (const auto loader = frame.module.rfind('/'); loader != std::string_view::npos)
    frame.module.remove_prefix(loader + 1);  // "app//shop.Cart"
  return frame;
}

// File "/app/cart.py", line 12, in add
std::optional<StackLine> parse_python(std::string_view text) {
  constexpr std::string_view middle = "\", line ";
  const auto quote = text.find(middle, 6);
  if (quote == std::string_view::npos) return std::nullopt;
  StackLine frame;
  frame.path = text.substr(6, quote - 6);
  const auto rest = text.substr(quote + middle.size());
  const auto comma = rest.find(", in ");
  frame.line = parse_number(rest.substr(0, comma)).value_or(0);
  if (comma != std::string_view::npos) frame.function = rest.substr(comma + 5);
  return frame;
}

// /app/cart.rb:12:in `add'
std::optional<StackLine> parse_ruby(std::string_view text) {
  const auto in = text.find(":in ");
  if (in == std::string_view::npos) return std::nullopt;
  StackLine frame;
  if (!take_place(text.substr(0, in), frame)) return std::nullopt;
  auto function = text.substr(in + 4);
  if (function.starts_with('`') || function.starts_with('\'')) function.remove_prefix(1);
  frame.function = function.substr(0, function.find('\''));
  return frame;
}

// #0 /app/cart.php(12): Cart->add()
std::optional<StackLine> parse_php(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos || !parse_number(text.substr(1, space - 1)))
    return std::nullopt;
  text.remove_prefix(space + 1);
  StackLine frame;
  const auto close = text.find("): ");
  const auto open = close == std::string_view::npos ? close : text.rfind('(', close);
  if (open != std::string_view::npos) {
    frame.path = text.substr(0, open);
    frame.line = parse_number(text.substr(open + 1, close - open - 1)).value_or(0);
    text.remove_prefix(close + 3);
  } else if (text.starts_with("[internal function]: ")) {
    text.remove_prefix(21);
  }
  frame.function = text.substr(0, text.find('('));
  return frame;
}

// add@https://shop.example/cart.js:12:7
std::optional<StackLine> parse_gecko(std::string_view text) {
  const auto at = text.find('@');
  StackLine frame;
  if (at == std::string_view::npos || !take_place(text.substr(at + 1), frame) || frame.column == 0)
    return std::nullopt;
  frame.function = text.substr(0, at);
  return frame;
}

class StackReader {
 public:
  std::vector<StackLine> read(std::string_view text) {
    while (!text.empty() && !done_) {
      const auto end = std::min(text.find('\n'), text.size());
      read_line(text.substr(0, std::min(end, longest_line)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (!python_) std::reverse(frames_.begin(), frames_.end());
    if (frames_.size() > most_frames)
      frames_.erase(frames_.begin(), frames_.end() - most_frames);
    return std::move(frames_);
  }

 private:
  void read_line(std::string_view whole) {
    auto line = trim(whole);
    if (line.starts_with("Caused by: ") || line.starts_with("--- End of inner exception")) {
      done_ = !frames_.empty();
    } else if (line.starts_with("Traceback (most recent call last)")) {
      frames_.clear();  // what came before is a cause
      python_ = true;
    } else if (line.starts_with("File \"")) {
      python_ = true;
      add(parse_python(line));
    } else if (line.starts_with("at ")) {
      add(parse_at(line.substr(3)));
    } else if (line.starts_with('#')) {
      add(parse_php(line));
    } else {
      if (line.starts_with("from ")) line.remove_prefix(5);
      read_other(whole, line);
    }
  }

  void read_other(std::string_view whole, std::string_view line) {
    if (python_) {
      // The source of the frame above stands deeper than its "File".
      if (!frames_.empty() && frames_.back().source.empty() && whole.starts_with("    "))
        frames_.back().source = line;
      return;
    }
    StackLine place;
    const bool indented = whole.starts_with('\t') || whole.starts_with("    ");
    if (!go_function_.empty() && indented &&
        take_place(line.substr(0, line.find(" +0x")), place)) {
      take_go_function(place);
      return add(place);
    }
    go_function_ = {};
    if (auto ruby = parse_ruby(line)) return add(ruby);
    if (auto gecko = parse_gecko(line)) return add(gecko);
    if (!indented && line.ends_with(')') && line.find('(') != 0) go_function_ = line;
    if (line.starts_with("created by ")) go_function_ = line.substr(11);
  }

  // "shop/cart.(*Cart).Add(0x1)" → module "shop/cart", function "(*Cart).Add"
  void take_go_function(StackLine& frame) {
    auto name = std::exchange(go_function_, {});
    if (name.ends_with(')')) name = name.substr(0, name.rfind('('));
    if (const auto in = name.find(" in goroutine "); in != std::string_view::npos)
      name = name.substr(0, in);
    const auto slash = name.rfind('/');
    const auto dot = name.find('.', slash == std::string_view::npos ? 0 : slash);
    frame.function = dot == std::string_view::npos ? name : name.substr(dot + 1);
    if (dot != std::string_view::npos) frame.module = name.substr(0, dot);
  }

  void add(const std::optional<StackLine>& frame) {
    if (!frame) return;
    // Twice what is kept, so that Python's newest are among them.
    if (frames_.size() == 2 * most_frames) {
      if (!python_) return;
      frames_.erase(frames_.begin(), frames_.begin() + most_frames);
    }
    frames_.push_back(*frame);
  }

  std::vector<StackLine> frames_;
  std::string_view go_function_;
  bool python_ = false;
  bool done_ = false;
};

void append_text(std::string& json, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  json += json.ends_with('{') ? "\"" : ",\"";
  json.append(key).append("\":").append(json_text(value));
}

void append_number(std::string& json, std::string_view key, std::uint32_t value) {
  if (value == 0) return;
  json += json.ends_with('{') ? "\"" : ",\"";
  json.append(key).append("\":").append(std::to_string(value));
}

}  // namespace

std::vector<StackLine> parse_stack_text(std::string_view text) {
  return StackReader().read(text);
}

std::string render_frames(const std::vector<StackLine>& frames) {
  std::string json = "[";
  for (const auto& frame : frames) {
    json += json.size() > 1 ? ",{" : "{";
    append_text(json, "function", frame.function);
    append_text(json, "module", frame.module);
    append_text(json, "filename", frame.path);
    append_text(json, "abs_path", frame.path);
    append_text(json, "context_line", frame.source);
    append_number(json, "lineno", frame.line);
    append_number(json, "colno", frame.column);
    json += '}';
  }
  return json + "]";
}

}  // namespace picket::ingest
