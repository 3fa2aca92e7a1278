#include "api/digest/tag_expiry.h"

#include "api/digest/expiry.h"
#include "api/digest/postings.h"
#include "api/digest/waiting_tags.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <optional>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

std::int64_t last_seen_ms(std::string_view row) {
  return buffer::parse_row<schema::TagCount>(row).last_seen_ms();
}

// When the oldest event that is here of an issue was; nothing when none is.
std::optional<std::int64_t> oldest_event_ms(const buffer::Reader& reader, std::uint64_t issue) {
  auto cursor = reader.cursor(Table::events_by_issue);
  if (!cursor.seek(Key().u64(issue))) return std::nullopt;
  KeyReader key(cursor.key());
  if (key.u64() != issue) return std::nullopt;
  return static_cast<std::int64_t>(key.u64());
}

// Rows do not tell of what waits to be added to them.
void fold_tags_of_all(buffer::Batch& batch, const std::vector<std::string>& keys) {
  std::uint64_t before = 0;
  for (const auto& key : keys) {
    const auto issue = KeyReader(key).u64();
    if (issue != before) fold_tags_of(batch, issue);
    before = issue;
  }
}

// Reads the rows of one table that may go. `key` is asked for in ascending order.
class OldTags {
 public:
  OldTags(const buffer::Reader& reader, Table table, std::int64_t until_ms) : reader_(reader), table_(table), until_ms_(until_ms) {}

  bool may_go(std::string_view key, std::string_view row) {
    const auto last_ms = last_seen_ms(row);
    if (last_ms >= until_ms_) return false;
    return table_ == Table::issue_tags ? last_ms < oldest_of(KeyReader(key).u64()) : !any_issue_has(key);
  }

 private:
  std::int64_t oldest_of(std::uint64_t issue) {
    if (issue_ != issue) oldest_ms_ = oldest_event_ms(reader_, issue).value_or(until_ms_);
    issue_ = issue;
    return oldest_ms_;
  }
  // Project and tag are how the keys of both tables begin.
  bool any_issue_has(std::string_view key) const {
    auto cursor = reader_.cursor(Table::issues_by_tag);
    return cursor.seek(key) && cursor.key().starts_with(key);
  }

  const buffer::Reader& reader_;
  const Table table_;
  const std::int64_t until_ms_;
  std::uint64_t issue_ = 0;
  std::int64_t oldest_ms_ = until_ms_;
};

}  // namespace

Result<bool> TagExpiry::step(buffer::Tables& tables, Time now, std::size_t most_rows) {
  const auto until_ms = to_ms(now - history_age);
  std::vector<std::string> doomed;
  std::string next;
  {
    const auto snapshot = tables.snapshot();
    auto cursor = snapshot.cursor(table_);
    OldTags old(snapshot, table_, until_ms);
    std::size_t seen = 0;
    bool there = cursor.seek(next_);
    for (; there && seen < most_rows; there = cursor.next(), ++seen) {
      if (old.may_go(cursor.key(), cursor.value())) doomed.emplace_back(cursor.key());
    }
    if (there) next = cursor.key();
  }
  if (!doomed.empty()) {
    const auto written = tables.write([&](buffer::Batch& batch) {
      OldTags old(batch, table_, until_ms);
      if (table_ == Table::issue_tags) fold_tags_of_all(batch, doomed);
      // Which issues have a tag may wait as well.
      for (bool more = table_ == Table::project_tags; more;) more = fold_some_tags(batch);
      for (const auto& key : doomed) {
        // It may have been seen meanwhile.
        const auto row = batch.get(table_, key);
        if (!row || !old.may_go(key, *row)) continue;
        if (table_ == Table::issue_tags) {
          KeyReader reader(key);
          const auto id = reader.u64();
          const auto issue = buffer::find_row<schema::Issue>(batch, Table::issues, Key().u64(id));
          if (!issue) continue;  // it is being deleted, and all of this with it
          remove_posting(batch, issue->project(), reader.rest(), id);
        }
        batch.remove(table_, key);
      }
    });
    if (!written) return written.error();
  }
  next_ = std::move(next);
  if (!next_.empty()) return false;
  const bool last = table_ == Table::project_tags;
  table_ = last ? Table::issue_tags : Table::project_tags;
  return last;
}

}  // namespace picket::digest
