// The tags of an event's payload.
#include "api/digest/event_reader.h"
#include "api/digest/normalize_rules.h"

#include <algorithm>
#include <unordered_map>

namespace picket::digest {
namespace {

constexpr std::size_t most_tags = 200;
constexpr Length longest_key{201, 0};  // one more than a key may have, so that a longer one shows
constexpr Length longest_value{200, 0};

// As the SDK wrote them, cut to `longest_key` and `longest_value`.
void add_tag(Event& event, std::string_view key, std::string_view value) {
  if (!is_valid_tag_key(key)) {
    key = event.text.keep(tag_key(key));
    if (!is_valid_tag_key(key)) return;
  }
  value = clean_tag_value(value, event.text);
  if (key == "environment" && event.environment.empty())
    event.environment = clean_environment(event.text.keep(value, {64, 0}));
  if (!is_internal_tag(key)) add_clean_tag(event, key, value);
}

// {"key": …, "value": …}
void read_tag_object(JsonObject pair, Event& event) {
  const auto key = member_of(pair, "key");
  const auto value = member_of(pair, "value");
  if (!key || !value) return;
  add_tag(event, text_of(*key, event.text, longest_key), text_of(*value, event.text, longest_value));
}

// Of members of one name the last one counts.
void read_tag_members(JsonObject object, Event& event) {
  constexpr std::size_t few = 64;
  const auto count = object.size();
  std::unordered_map<std::string_view, std::size_t> last;
  std::size_t index = 0;
  if (count > few) {
    for (const auto [key, value] : object) last[key] = index++;
  }
  const auto comes_again = [&](std::string_view name, std::size_t at) {
    if (count > few) return last[name] != at;
    std::size_t other = 0;
    for (const auto [key, value] : object) {
      if (other++ > at && key == name) return true;
    }
    return false;
  };
  index = 0;
  for (const auto [key, value] : object) {
    if (comes_again(key, index++)) continue;
    add_tag(event, event.text.keep(key, longest_key), text_of(value, event.text, longest_value));
  }
}

}  // namespace

void add_clean_tag(Event& event, std::string_view key, std::string_view value) {
  if (key.empty() || value.empty() || event.tags.size() >= most_tags) return;
  const bool there =
      std::ranges::any_of(event.tags, [&](const Tag& tag) { return tag.key == key; });
  if (!there) event.tags.push_back({key, value});
}

void read_tags(JsonElement json, Event& event) {
  JsonObject object;
  if (json.get(object) == simdjson::SUCCESS) {
    read_tag_members(object, event);
    return;
  }
  JsonArray array;
  if (json.get(array) != simdjson::SUCCESS) return;
  for (const auto entry : array) {
    JsonArray pair;
    if (entry.get(object) == simdjson::SUCCESS) read_tag_object(object, event);
    if (entry.get(pair) != simdjson::SUCCESS) continue;
    JsonElement key;
    JsonElement value;
    if (pair.at(0).get(key) != simdjson::SUCCESS || pair.at(1).get(value) != simdjson::SUCCESS)
      continue;
    add_tag(event, text_of(key, event.text, longest_key),
            text_of(value, event.text, longest_value));
  }
}

}  // namespace picket::digest
