#include "api/stream_import.h"

#include "api/rest/changes.h"
#include "buffer/crc32c.h"
#include "buffer/event_ids.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/dsn.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <compare>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::api {
namespace {

using buffer::Sequence;
using buffer::Table;

// Offered and not yet durable, at most.
constexpr std::uint64_t most_waiting_bytes = std::uint64_t{16} << 20;
constexpr std::size_t most_waiting_records = 4096;

// What makes two records the same.
struct Identity {
  std::uint64_t project = 0;
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::uint64_t kind = 0;  // 1: an event, by its id; 0: anything else, by time, key and bytes
  friend auto operator<=>(const Identity&, const Identity&) = default;
};

// Attachments that come later carry the id of an event without being one.
bool bears_event(const schema::IntakeMeta& meta) {
  for (int i = 0; i + 1 < meta.item_counts_size(); i += 2) {
    switch (static_cast<relay::DataCategory>(meta.item_counts(i))) {
      case relay::DataCategory::error:
      case relay::DataCategory::transaction:
      case relay::DataCategory::security:
      case relay::DataCategory::feedback: return true;
      default: break;
    }
  }
  return false;
}

Identity identity_of(std::uint64_t project, Time received, std::string_view key, std::string_view meta_bytes, std::string_view body) {
  const auto meta = buffer::parse_row<schema::IntakeMeta>(meta_bytes);
  if (meta.event_id().size() == 16 && bears_event(meta)) {
    buffer::KeyReader id(meta.event_id());
    const auto high = id.u64();
    return {project, high, id.u64(), 1};
  }
  buffer::Key said;
  said.u64(static_cast<std::uint64_t>(to_ms(received))).raw(key).raw(meta.event_id());
  return {project, buffer::stable_hash(said) ^ buffer::stable_hash(body), std::uint64_t{buffer::crc32c(body)} << 32 | (body.size() & 0xffff'ffffU), 0};
}

// What is here: the journal's records once, then what is taken.
class KnownRecords {
 public:
  Result<void> read(const buffer::Journal& journal) {
    const auto use = journal.use();
    for (Sequence from = use.first; from < use.next;) {
      const auto batch = journal.read(from, std::size_t{8} << 20, 100'000);
      if (!batch) return batch.error();
      for (const auto& record : batch->records) {
        if (record.kind != buffer::RecordKind::envelope) continue;
        here_.push_back(identity_of(record.project, record.received, record.key, record.meta, record.body));
      }
      if (batch->next <= from) break;
      from = batch->next;
    }
    std::sort(here_.begin(), here_.end());
    return {};
  }
  bool knows(const Identity& identity) const {
    return std::binary_search(here_.begin(), here_.end(), identity) || taken_.contains(identity);
  }
  void add(const Identity& identity) { taken_.insert(identity); }

 private:
  std::vector<Identity> here_;
  std::set<Identity> taken_;
};

// Counts what becomes durable; from the committer's thread.
class Waiting {
 public:
  void wait_for_room(std::uint64_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return records_ == 0 || (records_ < most_waiting_records && bytes_ + bytes <= most_waiting_bytes); });
  }
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return records_ == 0; });
  }
  void begin(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    ++records_;
    bytes_ += bytes;
  }
  void end(std::uint64_t bytes, const Result<Sequence>& durable) {
    const std::lock_guard lock(mutex_);
    --records_;
    bytes_ -= bytes;
    if (durable) {
      ++taken_;
      taken_bytes_ += bytes;
    } else if (!failed_) {
      failed_ = durable.error();
    }
    changed_.notify_all();
  }
  std::optional<Error> failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  void report_to(ImportReport& report) const {
    const std::lock_guard lock(mutex_);
    report.taken = taken_;
    report.taken_bytes = taken_bytes_;
    if (failed_ && !report.stopped) report.stopped = failed_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t records_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t taken_bytes_ = 0;
  std::optional<Error> failed_;
};

class Import {
 public:
  Import(buffer::Journal& journal, const buffer::Tables& tables, const ImportOptions& options)
      : journal_(journal), tables_(tables), options_(options) {}

  ImportReport run(StreamReader& reader) {
    report_.stopped = prepare();
    while (!report_.stopped) {
      auto next = reader.next();
      if (!next) report_.stopped = next.error();
      if (!next || !*next) break;
      const auto sequence = (*next)->sequence;
      report_.stopped = take(std::move((*next)->record));
      if (!report_.stopped) report_.last_read = sequence;
    }
    waiting_.wait_for_all();
    waiting_.report_to(report_);
    return report_;
  }

 private:
  std::optional<Error> prepare() {
    if (auto read = known_.read(journal_); !read) return read.error();
    if (options_.to_project == 0) return std::nullopt;
    for (const auto& key : rest::keys_of(tables_.snapshot(), options_.to_project)) {
      const auto parsed = relay::parse_project_key(key.public_key());
      if (key.disabled() || !parsed) continue;
      key_ = relay::raw_bytes(*parsed);
      return std::nullopt;
    }
    return Error{Fault::not_found, "there is no project " + std::to_string(options_.to_project) + " with an enabled key here"};
  }

  bool has_project(std::uint64_t project) {
    const auto [there, added] = projects_.try_emplace(project, false);
    if (added) there->second = tables_.snapshot().get(Table::projects, buffer::Key().u64(project)).has_value();
    return there->second;
  }

  bool knows(const Identity& identity, const buffer::Record& record) const {
    if (known_.knows(identity)) return true;
    if (identity.kind != 1) return false;
    // The journal may have forgotten an event that can still be read here.
    const auto meta = buffer::parse_row<schema::IntakeMeta>(record.meta);
    return buffer::find_event_id(tables_.snapshot(), record.project, meta.event_id()).has_value();
  }

  std::optional<Error> take(buffer::Record record) {
    if (options_.to_project != 0) {
      record.project = options_.to_project;
      record.key = key_;
    }
    if (!has_project(record.project)) {
      return Error{Fault::not_found, "there is no project " + std::to_string(record.project) + " here; make it, or give all to one with --to-project ID"};
    }
    const auto identity = identity_of(record.project, record.received, record.key, record.meta, record.body);
    if (knows(identity, record)) {
      ++report_.duplicates;
      return std::nullopt;
    }
    const std::uint64_t bytes = record.body.size();
    waiting_.wait_for_room(bytes);
    if (auto failed = waiting_.failed()) return failed;
    waiting_.begin(bytes);
    auto offered = journal_.offer(std::move(record), [this, bytes](const Result<Sequence>& durable) { waiting_.end(bytes, durable); });
    if (!offered) {
      waiting_.end(bytes, offered.error());
      return offered.error();
    }
    known_.add(identity);
    return std::nullopt;
  }

  buffer::Journal& journal_;
  const buffer::Tables& tables_;
  const ImportOptions options_;
  KnownRecords known_;
  std::map<std::uint64_t, bool> projects_;
  std::string key_;
  ImportReport report_;
  Waiting waiting_;
};

}  // namespace

ImportReport import_stream(StreamReader& reader, buffer::Journal& journal, const buffer::Tables& tables, const ImportOptions& options) {
  return Import(journal, tables, options).run(reader);
}

}  // namespace picket::api
