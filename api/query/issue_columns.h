// Every issue as one small fixed struct in memory, so that a search or a sort reads 100 bytes an issue
// instead of decoding two rows. It follows the tables by the keys that committed batches touched, and
// reads them all again when that is not known (first use, a long silence, another process writing).
//
// INVARIANT  What with() shows agrees exactly with the snapshot it returns: the newest commit.
// INVARIANT  At most `most_bytes` are kept. Where that is not enough, the texts are left out, for
//            up to three times as much (lean()): half a million issues with the usual 20 MiB. Where that
//            is not enough nothing is kept, and callers walk the tables (scan()), chunk by chunk
//            through the same view.
// THREADS    All members from any thread; with() holds a lock while `use` runs, which must be brief.
#pragma once

#include "api/digest/issue_texts.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace picket::query {

struct IssueColumn {
  std::uint64_t id = 0;
  std::uint64_t project = 0;
  std::int64_t first_seen_ms = 0;
  std::int64_t last_seen_ms = 0;
  std::uint64_t times_seen = 0;
  std::uint64_t assigned_user = 0;
  std::uint64_t assigned_team = 0;
  std::uint64_t row_hash = 0;  // of the Issue row's bytes: unchanged means no decoding
  std::uint32_t users = 0;
  std::uint32_t text_at = 0;
  std::uint32_t text_bytes = 0;
  std::uint32_t platform = 0;  // words
  std::uint32_t logger = 0;
  std::uint32_t type = 0;
  std::uint32_t first_release = 0;
  std::uint32_t issue_type = 0;
  std::uint8_t status = 0;
  std::uint8_t substatus = 0;
  std::uint8_t level = 0;
  std::uint8_t priority = 0;
  bool handled_known = false;
  bool unhandled = false;
  bool listed = false;  // false: removed, or merged into another
};

// The searchable texts of an issue, lower case: title, culprit, error type, error value, and the
// other texts of its metadata.
enum class TextField : std::uint8_t { title, culprit, error_type, error_value, other };
class IssueTexts {
 public:
  // REQUIRES: `bytes`, as render_texts() made them, outlive this.
  explicit IssueTexts(std::string_view bytes) : bytes_(bytes) {}
  std::string_view all() const { return bytes_; }
  std::string_view field(TextField field) const;

 private:
  std::string_view bytes_;
};
std::string render_texts(const schema::Issue& issue);

class ColumnSet;

// Walks the issues of `projects`, newest last seen first, in chunks of at most `chunk`; stops when
// `use` returns false. For tables that do not fit IssueColumns.
void scan(const buffer::Reader& reader, std::span<const std::uint64_t> projects, std::size_t chunk,
          const std::function<bool(const ColumnSet&)>& use);

// Issues and the texts they refer to.
class ColumnSet {
 public:
  // Decodes the rows; counters may be empty. Returns what was added.
  IssueColumn make(std::uint64_t id, std::string_view issue_row, std::string_view counters_row);
  // Reads only the counters' numbers into `column`.
  static void count(IssueColumn& column, std::string_view counters_row);

  // REQUIRES: !lean()
  IssueTexts texts(const IssueColumn& column) const {
    return IssueTexts(kept_of(column).substr(digest::TextSignature::bytes));
  }
  // Whether the issue's row of further texts may hold what has this signature; true where that is not known.
  bool may_hold(const IssueColumn& column, const digest::TextSignature& wanted) const {
    return lean_ || digest::TextSignature(kept_of(column).substr(0, digest::TextSignature::bytes)).may_hold(wanted);
  }
  bool lean() const { return lean_; }  // without texts
  const std::string& word(std::uint32_t number) const { return words_[number]; }
  std::span<const IssueColumn> issues() const { return issues_; }
  const IssueColumn* find(std::uint64_t id) const;  // REQUIRES: the set of IssueColumns; nullptr: not there

 private:
  friend class IssueColumns;
  friend void scan(const buffer::Reader&, std::span<const std::uint64_t>, std::size_t,
                   const std::function<bool(const ColumnSet&)>&);
  std::string_view kept_of(const IssueColumn& column) const {
    return std::string_view(texts_).substr(column.text_at, column.text_bytes);
  }
  std::uint32_t number_of(std::string_view word);
  IssueColumn* find_own(std::uint64_t id) { return const_cast<IssueColumn*>(find(id)); }
  void insert(IssueColumn column);
  void drop_text(const IssueColumn& column) { unused_text_bytes_ += column.text_bytes; }
  void drop_all_texts();
  void tidy();
  std::size_t bytes() const;

  std::vector<IssueColumn> issues_;  // ascending by id
  bool lean_ = false;
  std::string texts_;  // of each issue the signature of its further texts, then its own
  std::size_t unused_text_bytes_ = 0;
  std::size_t unlisted_ = 0;
  std::vector<std::string> words_;
  std::size_t word_bytes_ = 0;
  std::unordered_map<std::string, std::uint32_t> word_numbers_;
};

class IssueColumns {
 public:
  explicit IssueColumns(std::size_t most_bytes = std::size_t{20} << 20) : most_bytes_(most_bytes), most_lean_bytes_(3 * most_bytes) {}

  struct Shown {
    buffer::Snapshot snapshot;
    bool complete = false;  // false: too many issues to keep; `use` was not called
  };
  // Whether the last with() showed columns without texts.
  bool lean() const { return lean_.load(std::memory_order_relaxed); }
  Shown with(const buffer::Tables& tables, const std::function<void(const ColumnSet&, const buffer::Reader&)>& use);

 private:
  bool follow(const buffer::Tables& tables, const buffer::Snapshot& snapshot);
  bool read_all(const buffer::Snapshot& snapshot);
  void read_one(const buffer::Snapshot& snapshot, std::uint64_t id);
  bool fits();

  const std::size_t most_bytes_;
  const std::size_t most_lean_bytes_;
  std::atomic<bool> lean_ = false;
  std::mutex mutex_;
  ColumnSet set_;                // guarded by mutex_
  std::uint64_t transaction_ = 0;  // guarded by mutex_; what set_ agrees with, 0: nothing
  std::uint64_t too_many_ = 0;     // guarded by mutex_; the number of issues that did not fit
};

}  // namespace picket::query
