#include "upstream/sync_book.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "upstream/ledger.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace picket::upstream {

using buffer::IssuePart;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

std::optional<schema::StatusSync> SyncBook::find(const buffer::Reader& reader) const {
  return buffer::find_row<schema::StatusSync>(reader, Table::status_syncs, destination_);
}

void SyncBook::put(buffer::Batch& batch, const schema::StatusSync& row) const {
  buffer::put_row(batch, Table::status_syncs, destination_, row);
}

std::string SyncBook::link_key(std::uint64_t issue) const {
  return std::string(Key().text(destination_).u64(issue).view());
}

std::string SyncBook::due_key(std::uint32_t kind, std::int64_t due_ms, std::uint64_t issue) const {
  const auto time = static_cast<std::uint64_t>(std::max<std::int64_t>(0, due_ms));
  return std::string(Key().text(destination_).u8(static_cast<std::uint8_t>(kind)).u64(time).u64(issue).view());
}

std::optional<schema::IssueLink> SyncBook::find_link(const buffer::Reader& reader, std::uint64_t issue) const {
  return buffer::find_row<schema::IssueLink>(reader, Table::issue_links, link_key(issue));
}

void SyncBook::put_link(buffer::Batch& batch, schema::IssueLink link, DueKind kind, Time due) const {
  // What is due now goes by the row as it is stored: the link at hand may be older.
  const auto stored = find_link(batch, link.issue());
  if (stored && stored->due_kind() != 0) {
    batch.remove(Table::issue_links_due, due_key(stored->due_kind(), stored->due_ms(), link.issue()));
  }
  link.set_due_kind(static_cast<std::uint32_t>(kind));
  link.set_due_ms(kind == DueKind::nothing ? 0 : to_ms(due));
  if (kind != DueKind::nothing) batch.put(Table::issue_links_due, due_key(link.due_kind(), link.due_ms(), link.issue()), {});
  buffer::put_row(batch, Table::issue_links, link_key(link.issue()), link);
}

void SyncBook::remove_link(buffer::Batch& batch, std::uint64_t issue) const {
  const auto stored = find_link(batch, issue);
  if (!stored) return;
  if (stored->due_kind() != 0) batch.remove(Table::issue_links_due, due_key(stored->due_kind(), stored->due_ms(), issue));
  batch.remove(Table::issue_links, link_key(issue));
}

std::vector<schema::IssueLink> SyncBook::links_after(const buffer::Reader& reader, std::uint64_t issue, std::size_t most) const {
  std::vector<schema::IssueLink> links;
  const std::string prefix(Key().text(destination_).view());
  auto cursor = reader.cursor(Table::issue_links);
  for (bool there = cursor.seek(link_key(issue + 1)); there && cursor.key().starts_with(prefix) && links.size() < most; there = cursor.next()) {
    links.push_back(buffer::parse_row<schema::IssueLink>(cursor.value()));
  }
  return links;
}

std::vector<std::uint64_t> SyncBook::due(const buffer::Reader& reader, DueKind kind, Time now, std::size_t most) const {
  std::vector<std::uint64_t> issues;
  const std::string prefix(Key().text(destination_).u8(static_cast<std::uint8_t>(kind)).view());
  auto cursor = reader.cursor(Table::issue_links_due);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix) && issues.size() < most; there = cursor.next()) {
    KeyReader key(cursor.key().substr(prefix.size()));
    if (static_cast<std::int64_t>(key.u64()) > to_ms(now)) break;
    issues.push_back(key.u64());
  }
  return issues;
}

std::uint64_t SyncBook::count_due(const buffer::Reader& reader, DueKind kind) const {
  std::uint64_t count = 0;
  const std::string prefix(Key().text(destination_).u8(static_cast<std::uint8_t>(kind)).view());
  auto cursor = reader.cursor(Table::issue_links_due);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix); there = cursor.next()) ++count;
  return count;
}

bool SyncBook::forwarded(const buffer::Reader& reader, buffer::Sequence sequence) const {
  if (sequence == 0) return true;
  const auto cursor = buffer::find_row<schema::Cursor>(reader, Table::cursors, cursor_name(destination_));
  if (!cursor || cursor->next_sequence() <= sequence) return false;
  const auto row = buffer::find_row<schema::Destination>(reader, Table::destinations, destination_);
  return !row || std::find(row->deferred().begin(), row->deferred().end(), sequence) == row->deferred().end();
}

const schema::LinkedPart& linked_part(const schema::IssueLink& link, IssuePart part) {
  switch (part) {
    case IssuePart::status: return link.status();
    case IssuePart::assignee: return link.assignee();
    case IssuePart::priority: return link.priority();
  }
  std::abort();
}

schema::LinkedPart& mutable_part(schema::IssueLink& link, IssuePart part) {
  switch (part) {
    case IssuePart::status: return *link.mutable_status();
    case IssuePart::assignee: return *link.mutable_assignee();
    case IssuePart::priority: return *link.mutable_priority();
  }
  std::abort();
}

PartSettled settled_of(const schema::LinkedPart& part) {
  return {part.there(), part.seen(), part.settled()};
}

void settle(schema::LinkedPart& part, std::string_view there, const schema::Stamp& stamp) {
  part.set_there(std::string(there));
  part.set_seen(true);
  if (buffer::later(stamp, part.settled())) *part.mutable_settled() = stamp;
}

void put_wish(buffer::Batch& batch, const schema::IssueWish& wish) {
  buffer::put_row(batch, Table::issue_wishes, Key().u64(batch.next_number("issue_wish")), wish);
}

std::optional<SyncStatus> sync_status(const buffer::Reader& reader, const std::string& destination) {
  const SyncBook book(destination);
  const auto row = book.find(reader);
  if (!row || row->mode().empty()) return std::nullopt;
  SyncStatus status;
  status.destination = destination;
  status.mode = row->mode();
  status.state = !row->held_reason().empty() ? "held" : row->last_error().empty() ? "running" : "retrying";
  status.waiting = book.count_due(reader, DueKind::changed);
  status.told = row->told();
  status.taken = row->taken();
  status.refused = row->refused();
  if (row->last_success_ms() != 0) status.last_success = time_from_ms(row->last_success_ms());
  if (row->last_attempt_ms() != 0) status.last_attempt = time_from_ms(row->last_attempt_ms());
  status.last_error = row->held_reason().empty() ? row->last_error() : row->held_reason();
  return status;
}

}  // namespace picket::upstream
