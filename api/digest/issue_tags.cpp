#include "api/digest/issue_tags.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>

namespace picket::digest {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

void IssueTags::for_each(std::uint64_t issue, std::string_view prefix, const Visit& visit) const {
  const auto waiting = waiting_.uses_of(issue, prefix);
  auto next = waiting.begin();
  const auto key = Key().u64(issue).raw(prefix);
  auto rows = reader_.cursor(Table::issue_tags);
  bool there = rows.seek(key);
  for (;;) {
    there = there && rows.key().starts_with(key.view());
    if (!there && next == waiting.end()) return;
    const auto stored = there ? rows.key().substr(8) : std::string_view();
    const bool waits = next != waiting.end() && (!there || next->first <= stored);
    const bool both = waits && there && next->first == stored;
    schema::TagCount count;
    if (there && (both || !waits)) count = buffer::parse_row<schema::TagCount>(rows.value());
    const std::string tag((waits ? next->first : stored).substr(prefix.size()));
    if (waits) {
      const auto& more = next->second;
      count.set_first_seen_ms(both ? std::min<std::int64_t>(count.first_seen_ms(), more.first_ms) : more.first_ms);
      count.set_last_seen_ms(std::max<std::int64_t>(count.last_seen_ms(), more.last_ms));
      count.set_count(count.count() + more.count);
      ++next;
    }
    if (both || !waits) there = rows.next();
    if (!visit(tag, count)) return;
  }
}

std::vector<std::string> IssueTags::keys(std::uint64_t issue) const {
  auto keys = waiting_.keys_of(issue);
  const auto prefix = Key().u64(issue);
  auto rows = reader_.cursor(Table::issue_tags);
  for (bool more = rows.seek(prefix); more && rows.key().starts_with(prefix.view());) {
    keys.emplace_back(KeyReader(rows.key().substr(prefix.size())).text());
    // Text ends with a zero byte: the next key is past the same with a one.
    more = rows.seek(Key(prefix).raw(keys.back()).raw("\x01"));
  }
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  return keys;
}

}  // namespace picket::digest
