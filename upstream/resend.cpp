#include "upstream/resend.h"

#include "buffer/event_ids.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/data_category.h"
#include "upstream/ledger.h"

#include <algorithm>

namespace picket::upstream {
namespace {

using buffer::Mark;
using buffer::Sequence;
using buffer::Table;
using relay::DataCategory;

constexpr std::size_t resend_batch_bytes = std::size_t{512} << 10;
constexpr std::size_t resend_batch_records = 256;

// Whether the record itself holds what `event_ids` names: attachments that came later do not.
bool holds_event(const schema::IntakeMeta& meta) {
  for (int i = 0; i + 1 < meta.item_counts_size(); i += 2) {
    const auto category = static_cast<DataCategory>(std::min<std::uint64_t>(meta.item_counts(i), 255));
    if (category == DataCategory::error || category == DataCategory::transaction) return true;
  }
  return false;
}

}  // namespace

bool Resend::take_up(const schema::Destination& row) {
  const auto& stored = row.resend();
  if (stored.id() == job_.id()) {
    // The operator gives it up: it ends with what is under way.
    if (stored.cancelled() && !job_.cancelled() && under_way()) {
      job_.set_cancelled(true);
      job_.set_end(next_);
      return true;
    }
    return false;
  }
  job_ = stored;
  next_ = job_.next();
  ahead_.clear();
  batch_ = {};
  in_batch_ = 0;
  stuck_ = false;
  return true;
}

bool Resend::load_batch(const buffer::Journal& journal, const buffer::Tables& tables, const Known& known) {
  batch_ = {};
  in_batch_ = 0;
  auto read = journal.read(next_, resend_batch_bytes, resend_batch_records);
  if (!read || read->next <= next_) return false;
  batch_ = *std::move(read);
  batch_first_ = next_;
  const auto snapshot = tables.snapshot();
  not_sent_ = buffer::read_marks(snapshot, known.destination, Mark::not_sent, batch_first_, batch_.next);
  resent_ = buffer::read_marks(snapshot, known.destination, Mark::resent, batch_first_, batch_.next);
  picked_.clear();
  if (job_.picked()) picked_ = buffer::read_marks(snapshot, known.destination, Mark::picked, batch_first_, batch_.next);
  return true;
}

const buffer::StoredRecord* Resend::look(const buffer::Journal& journal, const buffer::Tables& tables, const Known& known) {
  started_ = known.started;
  const Sequence before = std::min(job_.end(), known.passed);
  if (next_ >= before) {
    stuck_ = next_ < job_.end();
    return nullptr;
  }
  // Marks are as old as the batch: what was passed since is looked up with the next one.
  const bool loaded = next_ < batch_.next && next_ >= batch_first_ && batch_first_ != 0;
  if (!loaded && !load_batch(journal, tables, known)) {
    stuck_ = true;
    return nullptr;
  }
  batch_.next = std::min(batch_.next, before);
  const auto snapshot = tables.snapshot();
  while (next_ < batch_.next && ahead_.size() < most_ahead) {
    while (in_batch_ < batch_.records.size() && batch_.records[in_batch_].sequence < next_) ++in_batch_;
    const bool there = in_batch_ < batch_.records.size() && batch_.records[in_batch_].sequence == next_;
    const Sequence sequence = next_++;
    ahead_.emplace_back();
    if (!there) {
      note(sequence, End::gone);
      continue;
    }
    const End end = judge(batch_.records[in_batch_], snapshot, known);
    if (end == End::sent) return &batch_.records[in_batch_];
    note(sequence, end);
  }
  return nullptr;
}

bool Resend::acknowledged(Sequence sequence, const buffer::Reader& tables, const Known& known) const {
  if (sequence >= known.passed || known.waits(sequence)) return false;
  const auto bit = [&](Mark mark, const std::vector<bool>& of_batch) {
    if (sequence >= batch_first_ && sequence - batch_first_ < of_batch.size()) return static_cast<bool>(of_batch[sequence - batch_first_]);
    return static_cast<bool>(buffer::read_marks(tables, known.destination, mark, sequence, sequence + 1).front());
  };
  if (sequence < known.started) return bit(Mark::resent, resent_);
  return !bit(Mark::not_sent, not_sent_);
}

// The same event came twice: SDKs send again what they got no answer for.
bool Resend::is_duplicate(const buffer::StoredRecord& record, const buffer::Reader& tables, const Known& known) const {
  schema::IntakeMeta meta;
  meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()));
  if (meta.event_id().size() != 16 || !holds_event(meta)) return false;
  const auto found = buffer::find_event_id(tables, record.project, meta.event_id());
  if (!found) return false;
  const Sequence first = found->sequence;
  if (first == 0 || first >= record.sequence) return false;
  const bool in_this_one = first >= job_.first() && first < record.sequence && !job_.picked();
  return in_this_one || acknowledged(first, tables, known);
}

Resend::End Resend::judge(const buffer::StoredRecord& record, const buffer::Reader& tables, const Known& known) const {
  if (record.kind != buffer::RecordKind::envelope) return End::passed;
  const auto received = to_ms(record.received);
  if (received < job_.from_ms() || received >= job_.to_ms()) return End::passed;
  const auto& projects = job_.projects();
  if (!projects.empty() && std::find(projects.begin(), projects.end(), record.project) == projects.end()) return End::passed;
  if (job_.picked() && !picked_[record.sequence - batch_first_]) return End::passed;
  if (known.waits(record.sequence)) return End::already_there;
  if (tables.get(Table::quarantine, quarantine_key(known.destination, record.sequence))) return End::already_there;
  if (job_.again()) return End::sent;
  if (acknowledged(record.sequence, tables, known)) return End::already_there;
  return is_duplicate(record, tables, known) ? End::already_there : End::sent;
}

void Resend::note(Sequence sequence, End end) {
  ahead_[sequence - job_.next()] = end;
  while (!ahead_.empty() && ahead_.front()) {
    switch (*ahead_.front()) {
      case End::passed: break;
      case End::sent: job_.set_sent(job_.sent() + 1); break;
      case End::already_there: job_.set_already_there(job_.already_there() + 1); break;
      case End::not_wanted: job_.set_not_wanted(job_.not_wanted() + 1); break;
      case End::refused: job_.set_refused(job_.refused() + 1); break;
      case End::gone: job_.set_gone(job_.gone() + 1); break;
    }
    ahead_.pop_front();
    job_.set_next(job_.next() + 1);
  }
}

void Resend::settle(Sequence sequence, End end, buffer::MarkChanges& marks) {
  if (end == End::sent) {
    if (sequence < started_) marks.set(Mark::resent, sequence);
    else marks.clear(Mark::not_sent, sequence);
  }
  note(sequence, end);
}

bool Resend::finish(Time now) {
  if (!under_way() || job_.next() < job_.end()) return false;
  job_.set_ended_ms(to_ms(now));
  batch_ = {};
  return true;
}

}  // namespace picket::upstream
