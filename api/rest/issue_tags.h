// Tags of an issue or a project, counted.
#pragma once

#include "api/rest/router.h"

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

// At most this many values of a key are looked at; what a list says of a key with more is about them.
constexpr std::size_t most_tag_values = 10'000;

struct TagValue {
  std::string value;
  schema::TagCount count;
};
struct TagValues {
  std::string key;
  std::vector<TagValue> values;  // most counted first
  std::uint64_t total = 0;
};

// `table` is issue_tags (of an issue) or project_tags (of a project); empty when it has none.
TagValues read_tag(const buffer::Reader& reader, buffer::Table table, std::uint64_t owner, std::string_view key);
// Feature flags are kept as tags, and shown apart from them: `useFlagsBackend=1`.
enum class TagKind : std::uint8_t { tags, flags };
std::vector<std::string> tag_keys(const buffer::Reader& reader, buffer::Table table, std::uint64_t owner, TagKind kind);

std::string tag_label(std::string_view key);  // "server_name" → "Server Name"
// "sentry:user" is an old spelling of "user".
std::string_view plain_tag_key(std::string_view key);

boost::json::object render_tag_value(std::string_view key, const TagValue& value);
boost::json::object render_tag(const TagValues& tag, std::size_t top);
// Every tag of an issue with its `top` values.
boost::json::array render_tag_summaries(const buffer::Reader& reader, std::uint64_t issue, std::size_t top, TagKind kind = TagKind::tags);

}  // namespace picket::rest
