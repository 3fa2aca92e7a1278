// Tags: one list of pairs, no key twice, none empty, none that repeats a field.
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"

#include <string>
#include <unordered_set>
#include <utility>

namespace picket::digest {
namespace {

constexpr std::size_t most_tags = 200;
constexpr std::size_t longest_key = 201;  // one more than a key may have

class TagList {
 public:
  explicit TagList(Work& work) : work_(work), place_(work.root, "tags") {}

  void add(std::string_view key, std::string_view value) {
    if (key.empty() || value.empty() || list_.size() >= most_tags) return;
    if (!keys_.emplace(key).second) return;
    list_.push_back(json::array{key, value});
  }

  // As the SDK wrote them.
  void add_said(const std::optional<std::string>& said_key, const json::value& said_value) {
    const Place here(place_, index_++);
    if (!said_key || said_value.is_null()) return;
    const auto key = is_valid_tag_key(*said_key) ? *said_key : tag_key(ellipsed(*said_key, longest_key));
    if (key.empty()) return;
    if (!is_valid_tag_key(key)) {
      if (key.size() > 200) return work_.notes.error(here, "value_too_long");
      return work_.notes.invalid(here, "invalid character in tag key", json::value(key));
    }
    json::value text = said_value;
    if (!check_text(text, {200, 0}, here, work_.notes)) return work_.notes.invalid(here, "expected a string", said_value);
    TextArena arena(256);
    const auto value = clean_tag_value(text.get_string(), arena);
    if (value.empty()) return;
    if (key == "environment" && text_or(work_.event, "environment").empty()) {
      const auto cut = ellipsed(value, 64);
      const auto environment = clean_environment(cut);
      if (!environment.empty()) work_.event["environment"] = environment;
    }
    if (!is_internal_tag(key)) add(key, value);
  }

  json::array take() { return std::move(list_); }

 private:
  Work& work_;
  const Place place_;
  json::array list_;
  std::unordered_set<std::string> keys_;
  std::size_t index_ = 0;
};

void move_field(Work& work, std::string_view name, TagList& tags) {
  TextArena arena(256);
  tags.add(name, clean_tag_value(text_or(work.event, name), arena));
  work.event.stable_erase(name);
}

void read_entry(const json::value& entry, TagList& tags) {
  static const json::value nothing;
  const auto* pair = entry.if_array();
  const auto* object = entry.if_object();
  if (pair && pair->size() >= 2) {
    tags.add_said(scalar_text(pair->at(0)), pair->at(1));
  } else if (object) {
    const auto* value = object->if_contains("value");
    tags.add_said(scalar_text(*object, "key"), value ? *value : nothing);
  } else {
    tags.add_said(std::nullopt, nothing);
  }
}

}  // namespace

void normalize_tags(Work& work) {
  TagList tags(work);
  move_field(work, "server_name", tags);
  move_field(work, "site", tags);
  if (const auto* said = work.event.if_contains("tags")) {
    const json::value value = *said;
    if (const auto* object = value.if_object()) {
      for (const auto& [key, each] : *object) tags.add_said(std::string(key), each);
    } else if (const auto* list = value.if_array()) {
      for (const auto& entry : *list) read_entry(entry, tags);
    } else if (!value.is_null()) {
      work.notes.invalid(Place(work.root, "tags"), "expected tags", value);
    }
  }
  auto list = tags.take();
  if (list.empty()) {
    work.event.stable_erase("tags");
  } else {
    work.event["tags"] = std::move(list);
  }
}

}  // namespace picket::digest
