#include "api/rest/issue_tags.h"

#include "api/digest/derived_tags.h"
#include "api/digest/issue_tags.h"
#include "api/rest/access.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::rest {

namespace json = boost::json;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

TagValues read_tag(const buffer::Reader& reader, Table table, std::uint64_t owner, std::string_view key) {
  TagValues tag{std::string(key), {}, 0};
  const auto take = [&](std::string_view rest, const schema::TagCount& count) {
    if (tag.values.size() >= most_tag_values) return false;
    tag.total += count.count();
    tag.values.push_back({std::string(KeyReader(rest).text()), count});
    return true;
  };
  if (table == Table::issue_tags) {
    digest::IssueTags(reader).for_each(owner, Key().text(key), take);
  } else {
    for_each(reader, table, Key().u64(owner).text(key), [&](std::string_view rest, std::string_view value) {
      return take(rest, buffer::parse_row<schema::TagCount>(value));
    });
  }
  std::stable_sort(tag.values.begin(), tag.values.end(),
                   [](const TagValue& a, const TagValue& b) { return a.count.count() > b.count.count(); });
  return tag;
}

std::vector<std::string> tag_keys(const buffer::Reader& reader, Table table, std::uint64_t owner, TagKind kind) {
  if (table == Table::issue_tags) {
    auto keys = digest::IssueTags(reader).keys(owner);
    std::erase_if(keys, [&](const std::string& key) { return digest::is_flag_key(key) != (kind == TagKind::flags); });
    return keys;
  }
  std::vector<std::string> keys;
  const auto prefix = Key().u64(owner);
  auto cursor = reader.cursor(table);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view());) {
    std::string key(KeyReader(cursor.key().substr(prefix.size())).text());
    // Text ends with a zero byte: the next key is past the same with a one.
    more = cursor.seek(Key(prefix).raw(key).raw("\x01"));
    if (digest::is_flag_key(key) == (kind == TagKind::flags)) keys.push_back(std::move(key));
  }
  return keys;
}

std::string tag_label(std::string_view key) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> special = {
      {{"os", "OS"}, {"url", "URL"}, {"server_name", "Server"}}};
  for (const auto& [name, label] : special) {
    if (name == key) return std::string(label);
  }
  std::string label(key);
  bool starts_word = true;
  for (char& c : label) {
    if (c == '_') c = ' ';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (starts_word && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    starts_word = !letter;
  }
  return label;
}

std::string_view plain_tag_key(std::string_view key) {
  constexpr std::string_view prefix = "sentry:";
  return key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

json::object render_tag_value(std::string_view key, const TagValue& value) {
  json::object shown{
      {"key", digest::is_flag_key(key) ? digest::flag_name(key) : key},
      {"name", value.value},
      {"value", value.value},
      {"count", value.count.count()},
      {"firstSeen", render_time(value.count.first_seen_ms())},
      {"lastSeen", render_time(value.count.last_seen_ms())},
  };
  // "id:7" is how a search asks for it: user.id:"7".
  const auto colon = value.value.find(':');
  if (key == "user" && colon != std::string::npos) {
    shown["query"] = "user." + value.value.substr(0, colon) + ":\"" + value.value.substr(colon + 1) + "\"";
  }
  return shown;
}

json::object render_tag(const TagValues& tag, std::size_t top) {
  const bool flag = digest::is_flag_key(tag.key);
  json::array values;
  for (std::size_t i = 0; i < tag.values.size() && i < top; ++i) values.push_back(render_tag_value(tag.key, tag.values[i]));
  json::object shown{
      {"key", flag ? digest::flag_name(tag.key) : std::string_view(tag.key)},
      {"name", flag ? std::string(digest::flag_name(tag.key)) : tag_label(tag.key)},
      {"uniqueValues", tag.values.size()},
      {"totalValues", tag.total},
  };
  if (top > 0) shown["topValues"] = std::move(values);
  return shown;
}

json::array render_tag_summaries(const buffer::Reader& reader, std::uint64_t issue, std::size_t top, TagKind kind) {
  json::array tags;
  for (const auto& key : tag_keys(reader, Table::issue_tags, issue, kind)) {
    tags.push_back(render_tag(read_tag(reader, Table::issue_tags, issue, key), top));
  }
  return tags;
}

}  // namespace picket::rest
