// What the variables of fingerprints stand for.
#include "api/grouping/fingerprint_rules.h"

#include <algorithm>

namespace picket::grouping {
namespace {

std::string_view without_space(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

std::span<const Frame> blamed_stack(const Evidence& evidence) {
  if (!evidence.exceptions.empty() && !evidence.exceptions.back().frames.empty()) return evidence.exceptions.back().frames;
  return evidence.stacktrace.empty() ? evidence.threads.frames : evidence.stacktrace;
}

// The newest frame of the application's own, else the newest.
Frame blamed_frame(const Evidence& evidence) {
  const auto frames = blamed_stack(evidence);
  for (auto index = frames.size(); index-- > 0;) {
    if (frames[index].in_app.value_or(false)) return frames[index];
  }
  return frames.empty() ? Frame() : frames.back();
}

std::string_view last_name(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string or_none(std::string_view text, std::string_view what) {
  return text.empty() ? "<no-" + std::string(what) + ">" : std::string(text);
}

std::string tag_value(const Evidence& evidence, std::string_view key) {
  for (const auto& tag : evidence.tags) {
    if (tag.key == key && !tag.value.empty()) return std::string(tag.value);
  }
  return "<no-value-for-tag-" + std::string(key) + ">";
}

}  // namespace

std::string_view variable_name(std::string_view part) {
  const auto trimmed = without_space(part);
  if (trimmed.size() < 4 || !trimmed.starts_with("{{") || !trimmed.ends_with("}}")) return {};
  return without_space(trimmed.substr(2, trimmed.size() - 4));
}

std::optional<std::string> variable_value(const Evidence& evidence, std::string_view name) {
  const auto* exception = evidence.exceptions.empty() ? nullptr : &evidence.exceptions.back();
  const auto short_name = name.starts_with("stack.") || name.starts_with("error.") ? name.substr(6) : name;
  if (name == "transaction") return or_none(evidence.transaction, name);
  if (name == "logger") return or_none(evidence.logger, name);
  if (name == "level") return or_none(evidence.level, name);
  if (name == "release") return or_none(evidence.release, name);
  if (short_name == "type") return or_none(exception != nullptr ? exception->type : std::string_view(), "type");
  if (short_name == "value") return or_none(exception != nullptr ? exception->value : std::string_view(), "value");
  if (name == "message") {
    const auto said = evidence.formatted.empty() ? evidence.message : evidence.formatted;
    return or_none(said.empty() && exception != nullptr ? exception->value : said, "message");
  }
  if (name.starts_with("tags.")) return tag_value(evidence, name.substr(5));
  const auto frame = blamed_frame(evidence);
  if (short_name == "function") return or_none(frame.function, "function");
  if (short_name == "module") return or_none(frame.module, "module");
  if (short_name == "package") return or_none(last_name(frame.package), "package");
  if (short_name == "path" || short_name == "abs_path")
    return or_none(frame.abs_path.empty() ? frame.filename : frame.abs_path, "abs-path");
  return std::nullopt;
}

std::vector<std::string> resolved_fingerprint(const Evidence& evidence, const std::vector<std::string>& parts) {
  std::vector<std::string> out;
  out.reserve(parts.size());
  for (const auto& part : parts) {
    const auto name = variable_name(part);
    auto value = name.empty() || name == "default" ? std::nullopt : variable_value(evidence, name);
    if (value) {
      out.push_back(*std::move(value));
    } else {
      out.push_back(name == "default" ? "{{ default }}" : part);
    }
  }
  return out;
}

std::vector<std::string> split_variables(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto open = text.find("{{");
    const auto close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) {
      parts.emplace_back(text);
      break;
    }
    if (open > 0) parts.emplace_back(text.substr(0, open));
    const auto name = without_space(text.substr(open + 2, close - open - 2));
    parts.push_back("{{ " + std::string(name) + " }}");
    text.remove_prefix(close + 2);
  }
  return parts;
}

std::string resolved_text(const Evidence& evidence, std::string_view text) {
  std::string out;
  for (const auto& part : split_variables(text)) {
    const auto name = variable_name(part);
    const auto value = name.empty() ? std::nullopt : variable_value(evidence, name);
    out += value ? *value : part;
  }
  return out;
}

}  // namespace picket::grouping
