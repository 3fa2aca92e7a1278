// Every issue as one small fixed struct in memory, so that a search or a sort reads 100 bytes an issue
// instead of decoding two rows. It follows the tables by the keys that committed batches touched, and
// reads them all again when that is not known (first use, a long silence, another process writing).
//
// INVARIANT  What with() shows agrees exactly with the snapshot it returns: the newest commit.
// INVARIANT  At most ColumnRoom's `bytes` of memory are taken. Where that is not enough, the texts go to a file, for up to
//            three times as much without them: half a million issues with the usual 20 MiB. Where the file would be
//            too long, or the disk is full, they are left out (lean()). Where all that is not enough nothing is kept, and
//            callers walk the tables (scan()), chunk by chunk through the same view.
// THREADS    All members from any thread; with() holds a lock while `use` runs, which must be brief.
#pragma once

#include "api/digest/issue_texts.h"
#include "buffer/growing_text.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
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
  std::uint8_t signature_parts = 0;  // the first 16 * this of its text_bytes: the signature of its further texts
};

// The searchable texts of an issue, lower case: title, culprit, error type, error value, and the
// other texts of its metadata. Type and value are kept once where they are what the title says.
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

struct ColumnRoom {
  std::size_t bytes = std::size_t{20} << 20;
  std::size_t file_bytes = std::size_t{512} << 20;  // of texts, on the disk; 0: they stay in memory
};

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
    return IssueTexts(kept_of(column).substr(signature_bytes(column)));
  }
  // Whether the issue's row of further texts may hold what has these sequences; true where that is not known.
  bool may_hold(const IssueColumn& column, const digest::TextSequences& wanted) const {
    return lean_ || wanted.may_be_in(kept_of(column).substr(0, signature_bytes(column)));
  }
  bool lean() const { return lean_; }  // without texts
  bool without_texts() const { return lean_ || texts_.in_file(); }  // in memory
  const std::string& word(std::uint32_t number) const { return words_[number]; }
  std::span<const IssueColumn> issues() const { return issues_; }
  const IssueColumn* find(std::uint64_t id) const;  // REQUIRES: the set of IssueColumns; nullptr: not there

 private:
  friend class IssueColumns;
  friend void scan(const buffer::Reader&, std::span<const std::uint64_t>, std::size_t,
                   const std::function<bool(const ColumnSet&)>&);
  static constexpr std::size_t signature_part = 16;
  static std::size_t signature_bytes(const IssueColumn& column) { return signature_part * column.signature_parts; }
  std::string_view kept_of(const IssueColumn& column) const {
    return texts_.view().substr(column.text_at, column.text_bytes);
  }
  std::uint32_t number_of(std::string_view word);
  IssueColumn* find_own(std::uint64_t id) { return const_cast<IssueColumn*>(find(id)); }
  void insert(IssueColumn column);
  void drop_text(const IssueColumn& column) { unused_text_bytes_ += column.text_bytes; }
  void drop_all_texts();
  void move_texts(const std::filesystem::path& folder, std::size_t most_bytes);  // to a file; else drops them
  void tidy();
  std::size_t bytes() const;  // of memory

  std::vector<IssueColumn> issues_;  // ascending by id
  bool lean_ = false;
  std::filesystem::path folder_;    // where texts_ has its file, once it has one
  std::size_t most_file_bytes_ = 0;
  buffer::GrowingText texts_;  // of each issue the signature of its further texts, then its own
  std::size_t unused_text_bytes_ = 0;
  std::size_t unlisted_ = 0;
  std::vector<std::string> words_;
  std::size_t word_bytes_ = 0;
  std::unordered_map<std::string, std::uint32_t> word_numbers_;
};

class IssueColumns {
 public:
  explicit IssueColumns(ColumnRoom room = {}) : room_(room), most_bytes_without_texts_(3 * room.bytes) {}

  struct Shown {
    buffer::Snapshot snapshot;
    bool complete = false;  // false: too many issues to keep; `use` was not called
  };
  // Whether the last with() showed columns without texts.
  bool lean() const { return lean_.load(std::memory_order_relaxed); }
  // Reads what with() would have to. Where that is everything, `stop` ends it early.
  void catch_up(const buffer::Tables& tables, const std::stop_token& stop = {});
  // Whether nobody keeps others from it for longer than `at_most`, as who reads everything does.
  bool is_free(std::chrono::milliseconds at_most);
  Shown with(const buffer::Tables& tables, const std::function<void(const ColumnSet&, const buffer::Reader&)>& use);

 private:
  bool follow(const buffer::Tables& tables, const buffer::Snapshot& snapshot, const std::stop_token& stop);
  bool read_all(const buffer::Tables& tables, const buffer::Snapshot& snapshot, const std::stop_token& stop);
  void read_one(const buffer::Snapshot& snapshot, std::uint64_t id);
  void take_texts_out(const buffer::Tables& tables);
  bool fits(const buffer::Tables& tables);

  const ColumnRoom room_;
  const std::size_t most_bytes_without_texts_;
  std::atomic<bool> lean_ = false;
  std::mutex mutex_;
  ColumnSet set_;                // guarded by mutex_
  std::uint64_t transaction_ = 0;  // guarded by mutex_; what set_ agrees with, 0: nothing
  std::uint64_t too_many_ = 0;     // guarded by mutex_; the number of issues that did not fit
};

}  // namespace picket::query
