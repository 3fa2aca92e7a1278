#include "api/rest/event_markdown.h"

#include "api/digest/title.h"
#include "api/rest/event_entries.h"
#include "api/rest/event_shapes.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace picket::rest {
namespace {

constexpr std::size_t most_frames = 100;      // of one stack trace
constexpr std::size_t most_breadcrumbs = 50;  // the last ones
constexpr std::size_t longest_text = 8'192;   // of one value, bytes

std::string_view cut(std::string_view text) {
  if (text.size() <= longest_text) return text;
  auto end = longest_text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// On one line, with nothing in it that Markdown would take for its own.
std::string plain(std::string_view text) {
  std::string shown;
  for (const char c : cut(text)) {
    if (c == '\n' || c == '\r' || c == '\t') {
      shown += ' ';
      continue;
    }
    if (std::string_view("\\`*_{}[]<>#|~").find(c) != std::string_view::npos) shown += '\\';
    shown += c;
  }
  return shown;
}

std::size_t longest_run(std::string_view text, char of) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == of ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

// Fences are longer than any in the text: it cannot end them.
std::string span(std::string_view text) {
  std::string one_line(cut(text));
  std::replace_if(one_line.begin(), one_line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  const std::string fence(longest_run(one_line, '`') + 1, '`');
  const bool pad = one_line.empty() || one_line.front() == '`' || one_line.back() == '`';
  return fence + (pad ? " " : "") + one_line + (pad ? " " : "") + fence;
}

void add_block(std::string& out, std::string_view text) {
  const std::string fence(std::max<std::size_t>(3, longest_run(text, '`') + 1), '`');
  out += fence + "\n";
  out += text;
  if (!text.ends_with('\n')) out += '\n';
  out += fence + "\n\n";
}

std::string text_of(const json::value& value) {
  if (value.is_null()) return {};
  if (const auto text = text_value(value)) return std::string(cut(*text));
  return std::string(cut(json::serialize(value)));
}

std::string text_at(const json::object& object, std::string_view name) {
  const auto* value = member(object, name);
  return value ? text_of(*value) : std::string();
}

void add_line(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out += "- **" + std::string(name) + ":** " + span(value) + "\n";
}

// "  at charge (shop/pay.py:12) [in app]", and the source around it where the SDK sent it.
void add_frame(std::string& out, const json::object& frame) {
  const auto* in_app = frame.if_contains("inApp");
  const auto function = text_at(frame, "function");
  auto where = text_at(frame, "filename");
  if (where.empty()) where = text_at(frame, "module");
  if (where.empty()) where = text_at(frame, "package");
  if (const auto line = text_at(frame, "lineNo"); !line.empty()) where += ":" + line;
  if (const auto column = text_at(frame, "colNo"); !column.empty()) where += ":" + column;
  if (where.empty()) where = text_at(frame, "instructionAddr");
  const bool own = in_app && in_app->is_bool() && in_app->get_bool();
  out += "  at " + (function.empty() ? "?" : function) + (where.empty() ? "" : " (" + where + ")") + (own ? " [in app]" : "") + "\n";
  const auto* context = array_member(frame, "context");
  if (!context) return;
  const auto current = text_at(frame, "lineNo");
  for (const auto& each : *context) {
    const auto* pair = each.if_array();
    if (!pair || pair->size() != 2) continue;
    const auto number = text_of(pair->front());
    out += std::string(number == current ? "   > " : "     ") + number + " | " + text_of(pair->back()) + "\n";
  }
}

// The newest call first.
std::string stack_of(const json::value* stacktrace) {
  const auto* object = stacktrace ? stacktrace->if_object() : nullptr;
  const auto* frames = object ? array_member(*object, "frames") : nullptr;
  std::string out;
  if (!frames) return out;
  std::size_t shown = 0;
  for (auto frame = frames->rbegin(); frame != frames->rend(); ++frame) {
    if (shown == most_frames) break;
    if (!frame->is_object()) continue;
    add_frame(out, frame->get_object());
    ++shown;
  }
  if (frames->size() > shown) out += "  ... " + std::to_string(frames->size() - shown) + " more\n";
  return out;
}

void add_stack(std::string& out, const json::value* stacktrace) {
  const auto stack = stack_of(stacktrace);
  if (stack.empty()) return;
  out += "Stack trace, most recent call first:\n\n";
  add_block(out, stack);
}

// The one that was thrown last comes first, and what caused it after it.
void add_exceptions(std::string& out, const json::object& data) {
  const auto& values = data.at("values").as_array();
  for (auto each = values.rbegin(); each != values.rend(); ++each) {
    const auto& exception = each->as_object();
    const auto type = text_at(exception, "type");
    out += std::string(each == values.rbegin() ? "## Exception: " : "## Caused by: ") + plain(type.empty() ? "Error" : type) + "\n\n";
    if (const auto value = text_at(exception, "value"); !value.empty()) add_block(out, value);
    if (const auto* mechanism = object_member(exception, "mechanism")) {
      const auto* handled = mechanism->if_contains("handled");
      const bool known = handled && handled->is_bool();
      out += "Mechanism: " + span(text_at(*mechanism, "type")) + (!known ? "" : handled->get_bool() ? ", handled" : ", not handled") + "\n\n";
    }
    add_stack(out, exception.if_contains("stacktrace"));
  }
}

void add_threads(std::string& out, const json::object& data) {
  for (const auto& each : data.at("values").as_array()) {
    const auto& thread = each.as_object();
    if (stack_of(thread.if_contains("stacktrace")).empty()) continue;
    out += "## Thread " + plain(text_at(thread, "id")) + " " + plain(text_at(thread, "name"));
    out += std::string(thread.at("crashed").as_bool() ? " (crashed)" : "") + "\n\n";
    add_stack(out, thread.if_contains("stacktrace"));
  }
}

void add_request(std::string& out, const json::object& data) {
  const auto url = text_at(data, "url");
  if (url.empty()) return;
  out += "## Request\n\n" + span(text_at(data, "method") + (text_at(data, "method").empty() ? "" : " ") + url) + "\n\n";
}

void add_breadcrumbs(std::string& out, const json::object& data) {
  const auto& values = data.at("values").as_array();
  const auto from = values.size() > most_breadcrumbs ? values.size() - most_breadcrumbs : 0;
  std::string lines;
  for (auto i = from; i < values.size(); ++i) {
    const auto& crumb = values[i].as_object();
    lines += text_at(crumb, "timestamp") + " " + text_at(crumb, "level") + " [" + text_at(crumb, "category") + "] " + text_at(crumb, "message");
    if (const auto* more = member(crumb, "data")) lines += " " + text_of(*more);
    lines += "\n";
  }
  out += "## Breadcrumbs\n\n";
  add_block(out, lines);
}

void add_entry(std::string& out, const json::object& entry) {
  const auto& type = entry.at("type").as_string();
  const auto* data = entry.at("data").if_object();
  if (!data) return;
  if (type == "message") {
    out += "## Message\n\n";
    add_block(out, text_at(*data, "formatted"));
  } else if (type == "exception") {
    add_exceptions(out, *data);
  } else if (type == "stacktrace") {
    out += "## Stack\n\n";
    add_stack(out, &entry.at("data"));
  } else if (type == "threads") {
    add_threads(out, *data);
  } else if (type == "request") {
    add_request(out, *data);
  } else if (type == "breadcrumbs") {
    add_breadcrumbs(out, *data);
  }
}

void add_contexts(std::string& out, const json::object& payload) {
  const auto* contexts = object_member(payload, "contexts");
  if (!contexts || contexts->empty()) return;
  out += "## Contexts\n\n";
  for (const auto& [name, value] : *contexts) {
    const auto* context = value.if_object();
    if (!context) continue;
    out += "### " + plain(name) + "\n\n";
    for (const auto& [key, each] : *context) {
      if (key != "type") add_line(out, plain(key), text_of(each));
    }
    out += "\n";
  }
}

// A quality from 0 to 1, in thousandths.
int quality_of(std::string_view parameters) {
  const auto at = parameters.find("q=");
  if (at == std::string_view::npos) return 1000;
  const std::string number(parameters.substr(at + 2, 5));
  return static_cast<int>(std::clamp(std::strtod(number.c_str(), nullptr), 0.0, 1.0) * 1000);
}

}  // namespace

std::string_view accepted_text(std::string_view accept) {
  int json_quality = 0;
  int any_quality = 0;
  int markdown_quality = 0;
  int plain_quality = 0;
  while (!accept.empty()) {
    auto part = accept.substr(0, accept.find(','));
    accept.remove_prefix(std::min(accept.size(), part.size() + 1));
    const auto semicolon = std::min(part.find(';'), part.size());
    auto type = part.substr(0, semicolon);
    while (type.starts_with(' ')) type.remove_prefix(1);
    while (type.ends_with(' ')) type.remove_suffix(1);
    const int quality = quality_of(part.substr(semicolon));
    if (type == "text/markdown" || type == "text/*") markdown_quality = std::max(markdown_quality, quality);
    if (type == "text/plain") plain_quality = std::max(plain_quality, quality);
    if (type == "*/*") any_quality = std::max(any_quality, quality);
    if (type == "application/json" || type == "application/*") json_quality = std::max(json_quality, quality);
  }
  // Who names both as equals ("application/json, text/plain, */*" is what many libraries send) gets
  // JSON; a wildcard beside a text type only says "or else anything".
  const int text_quality = std::max(markdown_quality, plain_quality);
  if (text_quality <= json_quality || text_quality < any_quality) return {};
  return markdown_quality >= plain_quality ? "text/markdown" : "text/plain";
}

std::string render_event_markdown(const EventView& view, std::string_view issue) {
  const auto title = digest::title_of(view.event);
  std::string out = "# " + plain(title.title) + "\n\n";
  add_line(out, "Issue", issue);
  add_line(out, "Event", view.event_id);
  add_line(out, "Time", text_of(render_time(view.row.timestamp_ms())));
  add_line(out, "Level", digest::wire_name(view.event.level_or_default()));
  add_line(out, "Platform", view.event.platform);
  add_line(out, "Where", title.culprit);
  add_line(out, "Release", view.event.release);
  add_line(out, "Environment", view.event.environment);
  add_line(out, "Note", view.trouble);
  out += "\n";
  for (const auto& entry : render_entries(view)) add_entry(out, entry.as_object());
  const auto tags = tags_of_view(view);
  if (!tags.empty()) {
    out += "## Tags\n\n";
    for (const auto& tag : tags) add_line(out, plain(tag.key), tag.value);
    out += "\n";
  }
  add_contexts(out, view.payload);
  if (const auto* extra = object_member(view.payload, "extra"); extra && !extra->empty()) {
    out += "## Extra\n\n";
    for (const auto& [key, value] : *extra) add_line(out, plain(key), text_of(value));
  }
  return out;
}

}  // namespace picket::rest
