// What the status sync of one destination keeps in the tables: how far it has read the changes here,
// which issue there is which issue here, and what is due when.
//
// INVARIANT  A link has one entry in issue_links_due when its due_kind is not `nothing`, else none.
// THREADS    Any; batches are the worker's.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/stamp.h"
#include "buffer/tables.h"
#include "upstream/sync_decision.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::upstream {

// Stored in IssueLink::due_kind: never renumber.
enum class DueKind : std::uint8_t { nothing = 0, changed = 1, look = 2 };

class SyncBook {
 public:
  explicit SyncBook(std::string destination) : destination_(std::move(destination)) {}

  std::optional<schema::StatusSync> find(const buffer::Reader& reader) const;
  void put(buffer::Batch& batch, const schema::StatusSync& row) const;

  std::optional<schema::IssueLink> find_link(const buffer::Reader& reader, std::uint64_t issue) const;
  // Writes it with what is due next.
  void put_link(buffer::Batch& batch, schema::IssueLink link, DueKind kind, Time due) const;
  void remove_link(buffer::Batch& batch, std::uint64_t issue) const;
  // Those after `issue`, ascending.
  std::vector<schema::IssueLink> links_after(const buffer::Reader& reader, std::uint64_t issue, std::size_t most) const;

  // Issues with something due at `now`, the longest due first.
  std::vector<std::uint64_t> due(const buffer::Reader& reader, DueKind kind, Time now, std::size_t most) const;
  std::uint64_t count_due(const buffer::Reader& reader, DueKind kind) const;

  // Whether the destination has had all events of an issue up to this record.
  bool forwarded(const buffer::Reader& reader, buffer::Sequence sequence) const;

 private:
  std::string link_key(std::uint64_t issue) const;
  std::string due_key(std::uint32_t kind, std::int64_t due_ms, std::uint64_t issue) const;
  const std::string destination_;
};

// A link's part.
const schema::LinkedPart& linked_part(const schema::IssueLink& link, buffer::IssuePart part);
schema::LinkedPart& mutable_part(schema::IssueLink& link, buffer::IssuePart part);
PartSettled settled_of(const schema::LinkedPart& part);
// Remembers what it is there, and that the change here with `stamp` is settled.
void settle(schema::LinkedPart& part, std::string_view there, const schema::Stamp& stamp);

void put_wish(buffer::Batch& batch, const schema::IssueWish& wish);

// How a destination's sync is doing, for `picket upstream ls`, `picket status` and metrics.
struct SyncStatus {
  std::string destination;
  std::string mode;   // send, receive, both
  std::string state;  // running, retrying, held
  std::uint64_t waiting = 0;  // changes here that are still to be told
  std::uint64_t told = 0;
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
  std::optional<Time> last_success;
  std::optional<Time> last_attempt;
  std::string last_error;  // or why it is held
};
// Nothing for a destination that does not sync.
std::optional<SyncStatus> sync_status(const buffer::Reader& reader, const std::string& destination);

}  // namespace picket::upstream
