#include "api/digest/repeats.h"

#include "buffer/schema/rows.pb.h"

namespace picket::digest {

bool RepeatBook::is_there(std::uint64_t project, std::string_view record_id) {
  if (!lookup_) {
    snapshot_.emplace(tables_.snapshot());
    lookup_.emplace(*snapshot_);
  }
  for (const auto& candidate : lookup_->candidates(project, record_id)) {
    if (is_of(candidate.sequence, project, record_id)) return true;
  }
  return false;
}

void RepeatBook::forget() {
  lookup_.reset();
  snapshot_.reset();
}

bool RepeatBook::is_of(buffer::Sequence sequence, std::uint64_t project, std::string_view record_id) const {
  const auto read = journal_.read_one(sequence);
  if (!read || read->records.empty()) return false;
  const auto& record = read->records.front();
  schema::IntakeMeta meta;
  return record.project == project && meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size())) && meta.record_id() == record_id;
}

}  // namespace picket::digest
