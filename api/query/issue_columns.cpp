#include "api/query/issue_columns.h"

#include "api/query/last_seen_walk.h"
#include "api/query/pattern.h"
#include "buffer/keys.h"

#include <boost/json.hpp>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <array>
#include <limits>
#include <thread>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

constexpr char field_end = '\x1f';
constexpr char as_titled = '\x1e';  // instead of a type or value: what the title says before or after its first colon
constexpr std::string_view colon = ": ";
constexpr std::size_t most_text_bytes = 4096;

std::string as_field(std::string_view text) {
  auto field = lower_ascii(text.substr(0, most_text_bytes));
  std::erase_if(field, [](char c) { return c == field_end || c == as_titled; });
  return field;
}

std::string member_text(const boost::json::object& metadata, std::string_view name) {
  const auto* value = metadata.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t hash_row(std::string_view row) {
  return std::hash<std::string_view>()(row);
}

std::uint64_t id_of(std::string_view key) {
  return buffer::KeyReader(key).u64();
}

// Reads what read_all() reads beside it, in several places at once: of tables that are on the disk only, one reader waits
// for each page in turn.
class PagesAhead {
 public:
  PagesAhead(const buffer::Tables& tables, std::uint64_t first_id, std::uint64_t last_id) {
    constexpr std::uint64_t places = 8;
    const auto each = (last_id - first_id) / places + 1;
    for (std::uint64_t i = 0; i < places; ++i) {
      const auto from = first_id + i * each;
      threads_.emplace_back([&tables, from, until = from + each](const std::stop_token& stop) {
        for (const auto table : {Table::issues, Table::issue_counters}) touch(tables, table, from, until, stop);
      });
    }
  }

 private:
  static void touch(const buffer::Tables& tables, Table table, std::uint64_t from, std::uint64_t until, const std::stop_token& stop) {
    const auto snapshot = tables.snapshot();
    auto cursor = snapshot.cursor(table);
    for (bool more = cursor.seek(Key().u64(from)); more && id_of(cursor.key()) < until && !stop.stop_requested(); more = cursor.next()) {
    }
  }

  std::vector<std::jthread> threads_;
};

}  // namespace

std::string render_texts(const schema::Issue& issue) {
  boost::json::error_code failed;
  std::array<unsigned char, 4096> room;
  boost::json::monotonic_resource arena(room.data(), room.size());
  const auto parsed = boost::json::parse(issue.metadata_json(), failed, &arena);
  static const boost::json::object nothing;
  const auto& metadata = !failed && parsed.is_object() ? parsed.get_object() : nothing;
  const auto title = as_field(issue.title());
  auto type = as_field(member_text(metadata, "type"));
  auto value = as_field(member_text(metadata, "value"));
  const auto before_value = type.size() + colon.size();
  if (!type.empty() && title.starts_with(type) && title.find(colon) == type.size()) {
    if (!value.empty() && title.substr(before_value) == value) value = as_titled;
    type = as_titled;
  }
  std::string other;
  for (const auto& [name, member] : metadata) {
    if (!member.is_string() || name == "type" || name == "value") continue;
    if (member.get_string() == issue.title()) continue;
    other += std::string_view(member.get_string());
    other += ' ';
  }
  std::string texts;
  for (const auto& field : {title, as_field(issue.culprit()), type, value, as_field(other)}) texts += field + field_end;
  return texts;
}

std::string_view IssueTexts::field(TextField field) const {
  auto rest = bytes_;
  for (int skip = static_cast<int>(field); skip > 0; --skip) {
    rest.remove_prefix(std::min(rest.size(), rest.find(field_end) + 1));
  }
  const auto text = rest.substr(0, rest.find(field_end));
  if (!text.starts_with(as_titled)) return text;
  const auto title = bytes_.substr(0, bytes_.find(field_end));
  const auto type = title.substr(0, title.find(colon));
  return field == TextField::error_type ? type : title.substr(std::min(title.size(), type.size() + colon.size()));
}

void ColumnSet::count(IssueColumn& column, std::string_view counters_row) {
  using google::protobuf::internal::WireFormatLite;
  constexpr auto varint = WireFormatLite::WIRETYPE_VARINT;
  // The arrays of hours and days make up most of the row and are skipped unread.
  google::protobuf::io::CodedInputStream input(
      reinterpret_cast<const std::uint8_t*>(counters_row.data()), static_cast<int>(counters_row.size()));
  column.times_seen = 0;
  column.last_seen_ms = 0;
  column.users = 0;
  while (const auto tag = input.ReadTag()) {
    const auto field = WireFormatLite::GetTagFieldNumber(tag);
    if (field <= 3 && WireFormatLite::GetTagWireType(tag) == varint) {
      std::uint64_t value = 0;
      if (!input.ReadVarint64(&value)) return;
      if (field == schema::IssueCounters::kTimesSeenFieldNumber) column.times_seen = value;
      if (field == schema::IssueCounters::kLastSeenMsFieldNumber) {
        column.last_seen_ms = static_cast<std::int64_t>(value);
      }
      if (field == schema::IssueCounters::kUsersSeenFieldNumber) {
        column.users = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
      }
    } else if (!WireFormatLite::SkipField(&input, tag)) {
      return;
    }
  }
}

IssueColumn ColumnSet::make(std::uint64_t id, std::string_view issue_row, std::string_view counters_row) {
  schema::Issue issue;
  issue.ParseFromArray(issue_row.data(), static_cast<int>(issue_row.size()));
  IssueColumn column;
  column.id = id;
  column.project = issue.project();
  column.first_seen_ms = issue.first_seen_ms();
  column.assigned_user = issue.assigned_user();
  column.assigned_team = issue.assigned_team();
  column.row_hash = hash_row(issue_row);
  column.platform = number_of(issue.platform());
  column.logger = number_of(issue.logger());
  column.type = number_of(issue.type());
  column.first_release = number_of(issue.first_release());
  column.issue_type = number_of(issue.issue_type());
  column.status = static_cast<std::uint8_t>(issue.status());
  column.substatus = static_cast<std::uint8_t>(issue.substatus());
  column.level = static_cast<std::uint8_t>(issue.level());
  column.priority = static_cast<std::uint8_t>(issue.priority());
  column.handled_known = issue.handled_known();
  column.unhandled = issue.unhandled();
  column.listed = issue.merged_into() == 0;
  if (!lean_) {
    auto kept = issue.text_signature();
    const auto parts = kept.size() / signature_part;
    const bool whole = parts * signature_part == kept.size() && parts <= std::numeric_limits<std::uint8_t>::max();
    if (!whole) kept.clear();
    kept += render_texts(issue);
    column.text_at = static_cast<std::uint32_t>(texts_.size());
    column.text_bytes = static_cast<std::uint32_t>(kept.size());
    column.signature_parts = whole ? static_cast<std::uint8_t>(parts) : std::uint8_t{0};
    if (!texts_.append(kept)) {
      drop_all_texts();
      column.text_at = column.text_bytes = column.signature_parts = 0;
    }
  }
  count(column, counters_row);
  return column;
}

std::uint32_t ColumnSet::number_of(std::string_view word) {
  std::string text(word);
  const auto known = word_numbers_.find(text);
  if (known != word_numbers_.end()) return known->second;
  const auto number = static_cast<std::uint32_t>(words_.size());
  word_bytes_ += 2 * text.capacity() + 120;
  words_.push_back(text);
  word_numbers_.emplace(std::move(text), number);
  return number;
}

const IssueColumn* ColumnSet::find(std::uint64_t id) const {
  if (issues_.empty() || id < issues_.front().id) return nullptr;
  // Numbers are dense but for issues that are gone: this many places from the first, or before that.
  const auto furthest = std::min<std::uint64_t>(id - issues_.front().id, issues_.size() - 1);
  const auto* const end = issues_.data() + furthest;
  if (end->id == id) return end;
  const auto* const place = std::lower_bound(issues_.data(), end, id,
                                             [](const IssueColumn& column, std::uint64_t wanted) { return column.id < wanted; });
  return place->id == id ? place : nullptr;
}

void ColumnSet::insert(IssueColumn column) {
  if (issues_.empty() || issues_.back().id < column.id) {
    issues_.push_back(column);
    return;
  }
  const auto place = std::lower_bound(issues_.begin(), issues_.end(), column.id,
                                      [](const IssueColumn& each, std::uint64_t id) { return each.id < id; });
  issues_.insert(place, column);
}

void ColumnSet::tidy() {
  if (unlisted_ > 1024 && unlisted_ > issues_.size() / 4) {
    std::erase_if(issues_, [](const IssueColumn& column) { return !column.listed; });
    unlisted_ = 0;
  }
  if (unused_text_bytes_ < (std::size_t{64} << 10) || unused_text_bytes_ < texts_.size() / 2) return;
  buffer::GrowingText kept;
  if (texts_.in_file() && !kept.move_to_file(folder_, most_file_bytes_)) return drop_all_texts();
  kept.reserve(texts_.size() - unused_text_bytes_);
  for (auto& column : issues_) {
    const auto at = static_cast<std::uint32_t>(kept.size());
    if (!kept.append(kept_of(column))) return drop_all_texts();
    column.text_at = at;
  }
  texts_ = std::move(kept);
  unused_text_bytes_ = 0;
}

void ColumnSet::drop_all_texts() {
  lean_ = true;
  texts_ = {};
  unused_text_bytes_ = 0;
  for (auto& column : issues_) column.text_at = column.text_bytes = column.signature_parts = 0;
}

void ColumnSet::move_texts(const std::filesystem::path& folder, std::size_t most_bytes) {
  folder_ = folder;
  most_file_bytes_ = most_bytes;
  if (!texts_.move_to_file(folder, most_bytes)) drop_all_texts();
}

std::size_t ColumnSet::bytes() const {
  return issues_.capacity() * sizeof(IssueColumn) + texts_.memory_bytes() + word_bytes_;
}

void IssueColumns::catch_up(const buffer::Tables& tables, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  follow(tables, tables.snapshot(), stop);
}

bool IssueColumns::is_free(std::chrono::milliseconds at_most) {
  constexpr std::chrono::milliseconds step(5);
  for (auto waited = std::chrono::milliseconds::zero();; waited += step) {
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock) return true;
    if (waited >= at_most) return false;
    std::this_thread::sleep_for(step);
  }
}

IssueColumns::Shown IssueColumns::with(const buffer::Tables& tables,
                                       const std::function<void(const ColumnSet&, const buffer::Reader&)>& use) {
  const std::lock_guard lock(mutex_);
  Shown shown{tables.snapshot()};
  shown.complete = follow(tables, shown.snapshot, {});
  lean_.store(set_.lean(), std::memory_order_relaxed);
  if (shown.complete) use(set_, shown.snapshot);
  return shown;
}

bool IssueColumns::follow(const buffer::Tables& tables, const buffer::Snapshot& snapshot, const std::stop_token& stop) {
  const auto newest = snapshot.transaction();
  if (transaction_ == newest && transaction_ != 0) return true;
  if (too_many_ != 0) {
    // Shrunk by a fifth: worth another try.
    if (snapshot.entries(Table::issues) > too_many_ - too_many_ / 5) return false;
    too_many_ = 0;
  }
  // Far fewer than when the texts were left out.
  const bool shrunk = set_.lean() && set_.bytes() < room_.bytes / 4;
  const auto touched = transaction_ == 0 || shrunk ? std::nullopt : tables.issues_touched(transaction_, newest);
  if (!touched) {
    if (!read_all(tables, snapshot, stop)) return false;
  } else {
    std::vector<std::uint64_t> ids;
    ids.reserve(touched->size());
    for (const auto& key : *touched) ids.push_back(id_of(key));
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (const auto id : ids) read_one(snapshot, id);
    set_.tidy();
  }
  transaction_ = newest;
  if (fits(tables)) return true;
  too_many_ = snapshot.entries(Table::issues);
  transaction_ = 0;
  set_ = {};
  return false;
}

void IssueColumns::take_texts_out(const buffer::Tables& tables) {
  if (room_.file_bytes > 0 && tables.may_grow()) {
    set_.move_texts(tables.folder(), room_.file_bytes);
  } else {
    set_.drop_all_texts();
  }
}

// Takes the texts out of memory where they are too much. False where that is not enough.
bool IssueColumns::fits(const buffer::Tables& tables) {
  if (!set_.without_texts() && set_.bytes() > room_.bytes) take_texts_out(tables);
  return set_.bytes() <= (set_.without_texts() ? most_bytes_without_texts_ : room_.bytes);
}

bool IssueColumns::read_all(const buffer::Tables& tables, const buffer::Snapshot& snapshot, const std::stop_token& stop) {
  set_ = {};
  transaction_ = 0;
  // Grown by hand: doubling would overshoot the budget.
  const auto entries = snapshot.entries(Table::issues);
  if (entries * sizeof(IssueColumn) > most_bytes_without_texts_) {
    too_many_ = entries;
    return false;
  }
  if (entries * sizeof(IssueColumn) > room_.bytes) take_texts_out(tables);
  set_.issues_.reserve(entries + entries / 16 + 64);
  constexpr std::uint64_t worth_threads = 20'000;
  std::optional<PagesAhead> ahead;
  if (auto newest = snapshot.cursor(Table::issues); entries > worth_threads && newest.last()) {
    const auto last_id = id_of(newest.key());
    newest.first();
    ahead.emplace(tables, id_of(newest.key()), last_id);
  }
  auto counters = snapshot.cursor(Table::issue_counters);
  bool counting = counters.first();
  auto issues = snapshot.cursor(Table::issues);
  for (bool more = issues.first(); more; more = issues.next()) {
    while (counting && counters.key() < issues.key()) counting = counters.next();
    const bool own = counting && counters.key() == issues.key();
    auto column = set_.make(id_of(issues.key()), issues.value(), own ? counters.value() : std::string_view());
    if (column.listed) set_.issues_.push_back(column);
    const bool fit = fits(tables);
    if (!fit || stop.stop_requested()) {
      too_many_ = fit ? 0 : entries;
      set_ = {};
      return false;
    }
  }
  return true;
}

void IssueColumns::read_one(const buffer::Snapshot& snapshot, std::uint64_t id) {
  const auto key = Key().u64(id);
  const auto row = snapshot.get(Table::issues, key);
  const auto counters = snapshot.get(Table::issue_counters, key).value_or(std::string_view());
  auto* known = set_.find_own(id);
  if (!row) {
    if (known && known->listed) {
      known->listed = false;
      ++set_.unlisted_;
    }
    return;
  }
  if (known && known->listed && known->row_hash == hash_row(*row)) {
    ColumnSet::count(*known, counters);
    return;
  }
  const auto column = set_.make(id, *row, counters);
  if (!known) return set_.insert(column);
  set_.drop_text(*known);
  set_.unlisted_ += static_cast<std::size_t>(!column.listed) - static_cast<std::size_t>(!known->listed);
  *known = column;
}

void scan(const buffer::Reader& reader, std::span<const std::uint64_t> projects, std::size_t chunk,
          const std::function<bool(const ColumnSet&)>& use) {
  ColumnSet set;
  LastSeenWalk walk(reader, projects);
  while (const auto place = walk.next()) {
    const auto key = Key().u64(place->issue);
    const auto row = reader.get(Table::issues, key);
    if (!row) continue;
    const auto column = set.make(place->issue, *row, reader.get(Table::issue_counters, key).value_or(std::string_view()));
    if (column.listed) set.issues_.push_back(column);
    if (set.issues_.size() < chunk) continue;
    if (!use(set)) return;
    set = {};
  }
  if (!set.issues_.empty()) use(set);
}

}  // namespace picket::query
