#include "api/rest/event_filter.h"

#include "api/digest/derived_tags.h"
#include "api/digest/issue_texts.h"
#include "api/query/issue_filter.h"
#include "api/query/pattern.h"
#include "api/query/search_values.h"
#include "api/query/tag_terms.h"
#include "api/query/time_terms.h"
#include "relay/protocol/envelope.h"

#include <algorithm>

namespace picket::rest {
namespace {

using query::Condition;
using query::ConditionKind;
using query::SearchValue;

// The values of a key that are no tags; nothing when it is (or may be) one.
std::optional<std::string> field_of(std::string_view key, const EventView& view) {
  const auto& event = view.event;
  if (key == "level") return std::string(digest::wire_name(event.level_or_default()));
  if (key == "platform" || key == "platform.name") return std::string(event.platform);
  if (key == "event.type") return std::string(digest::wire_name(event.type));
  if (key == "id" || key == "event_id" || key == "event.id") return view.event_id;
  if (key == "issue.id") return std::to_string(view.row.issue());
  const auto* exception = event.exceptions.empty() ? nullptr : &event.exceptions.back();
  if (key == "error.type") return std::string(exception ? exception->type : "");
  if (key == "error.value") return std::string(exception ? exception->value : "");
  if (key == "error.handled") return event.handled().value_or(true) ? "1" : "0";
  if (key == "error.unhandled") return event.handled().value_or(true) ? "0" : "1";
  if (key == "sdk.name") return std::string(event.sdk_name);
  if (key == "user.email") return std::string(event.user.email);
  if (key == "user.id") return std::string(event.user.id);
  if (key == "user.username") return std::string(event.user.username);
  if (key == "user.ip") return std::string(event.user.ip);
  return std::nullopt;
}

std::optional<std::string> tag_of(std::string_view key, const EventView& view) {
  if (digest::is_flag_key(key)) {
    digest::TextArena arena;
    for (const auto& flag : digest::flag_tags_of(view.event, arena)) {
      if (flag.key == key) return std::string(flag.value);
    }
    return std::nullopt;
  }
  for (const auto& tag : tags_of_view(view)) {
    if (tag.key == key) return tag.value;
  }
  return std::nullopt;
}

// What `message:` and `title:` ask for.
std::string message_of(const EventView& view) {
  std::string texts(view.event.formatted);
  for (const auto& exception : view.event.exceptions) {
    texts += '\n';
    texts += exception.type;
    texts += ": ";
    texts += exception.value;
  }
  texts += '\n';
  texts += view.event.transaction;
  return query::lower_ascii(texts);
}

// What free text asks for.
std::string texts_of(const EventView& view) {
  std::string texts;
  for (const auto text : {view.event.request_url, view.event.user.username, view.event.user.email,
                          view.event.user.id, view.event.user.ip}) {
    texts += '\n';
    texts += text;
  }
  texts += '\n';
  texts += digest::render_event_texts(view.event);
  return message_of(view) + query::lower_ascii(texts);
}

bool any_value(const Condition& term, std::string_view text, bool ignore_case) {
  return std::any_of(term.values.begin(), term.values.end(), [&](const SearchValue& value) {
    return query::Pattern(value.text, ignore_case).matches(text);
  });
}

bool any_found(const Condition& term, const std::string& texts) {
  return std::any_of(term.values.begin(), term.values.end(), [&](const SearchValue& value) {
    return query::Pattern(value.text, true).found_in_lower(texts);
  });
}

bool filter_holds(const Condition& term, const EventView& view, Time now) {
  if (!term.field.explicit_tag) {
    const auto kinds = query::issue_language().kinds_of(term.field.name);
    if ((kinds & query::key_date) != 0) {
      const auto range = query::time_range(term, now);
      return range && range->contains(view.row.timestamp_ms());
    }
    if (term.field.name == "message" || term.field.name == "title") return any_found(term, message_of(view));
    if ((kinds & query::key_boolean) != 0) {
      const auto field = field_of(term.field.name, view);
      const auto wanted = query::parse_boolean(term.values.front().text);
      return field && wanted && (*field == "1") == *wanted;
    }
    if (const auto field = field_of(term.field.name, view)) return any_value(term, *field, false);
  }
  const auto tag = tag_of(term.field.explicit_tag ? term.field.name : query::tag_of_key(term.field.name), view);
  return any_value(term, tag.value_or(""), false);
}

bool holds(const Condition& term, const EventView& view, Time now) {
  bool found = false;
  const auto part_holds = [&](const Condition& part) { return holds(part, view, now); };
  switch (term.kind) {
    case ConditionKind::all: found = std::ranges::all_of(term.parts, part_holds); break;
    case ConditionKind::any: found = std::ranges::any_of(term.parts, part_holds); break;
    case ConditionKind::free_text: found = any_found(term, texts_of(view)); break;
    // States belong to issues: every event of the list is of one that was asked for.
    case ConditionKind::is: return true;
    case ConditionKind::has: {
      const auto field = term.field.explicit_tag ? std::nullopt : field_of(term.field.name, view);
      const auto key = term.field.explicit_tag ? term.field.name : query::tag_of_key(term.field.name);
      found = field ? !field->empty() : tag_of(key, view).has_value();
      break;
    }
    case ConditionKind::filter: return filter_holds(term, view, now) != term.asks_not();
  }
  return found != term.negated;
}

}  // namespace

bool passes(const EventFilter& filter, const EventView& view) {
  const auto& wanted = filter.environments;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), view.event.environment) == wanted.end()) return false;
  return holds(filter.condition, view, filter.now);
}

}  // namespace picket::rest
