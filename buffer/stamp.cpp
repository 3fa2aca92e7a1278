#include "buffer/stamp.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <random>
#include <utility>

namespace picket::buffer {
namespace {

constexpr std::string_view instance_key = "instance";
constexpr std::int64_t latest_ms = 253'402'300'799'999;  // the last of the year 9999
constexpr std::size_t longest_name = 100;
constexpr std::size_t longest_origin = 200;

const schema::Stamp& stored_stamp(const schema::Issue& issue, IssuePart part) {
  switch (part) {
    case IssuePart::status: return issue.status_stamp();
    case IssuePart::assignee: return issue.assignee_stamp();
    case IssuePart::priority: return issue.priority_stamp();
  }
  std::abort();
}

// What a version without stamps left behind.
std::int64_t changed_ms(const schema::Issue& issue, IssuePart part) {
  switch (part) {
    case IssuePart::status: return std::max(issue.resolved_ms(), issue.ignored_ms());
    case IssuePart::assignee: return issue.assigned_ms();
    case IssuePart::priority: return issue.priority_locked_ms();
  }
  std::abort();
}

bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

// Rows hold UTF-8 and headers a line: what a name has beyond ASCII is not worth the trouble.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name.substr(0, longest_name)) plain += is_visible(c) || c == ' ' ? c : '?';
  return plain;
}

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

}  // namespace

std::string_view part_name(IssuePart part) {
  switch (part) {
    case IssuePart::status: return "status";
    case IssuePart::assignee: return "assignee";
    case IssuePart::priority: return "priority";
  }
  std::abort();
}

bool later(const schema::Stamp& a, const schema::Stamp& b) {
  return a.ms() != b.ms() ? a.ms() > b.ms() : a.origin() > b.origin();
}

schema::Stamp next_stamp(const schema::Stamp& before, std::int64_t at_ms, std::string_view origin) {
  schema::Stamp stamp;
  stamp.set_ms(std::max(at_ms, before.ms() + 1));
  stamp.set_origin(std::string(origin));
  return stamp;
}

schema::Stamp stamp_of(const schema::Issue& issue, IssuePart part) {
  const auto& stored = stored_stamp(issue, part);
  const auto ms = changed_ms(issue, part);
  if (stored.ms() >= ms) return stored;
  schema::Stamp stamp;
  stamp.set_ms(ms);
  return stamp;
}

void set_stamp(schema::Issue& issue, IssuePart part, schema::Stamp stamp) {
  switch (part) {
    case IssuePart::status: *issue.mutable_status_stamp() = std::move(stamp); return;
    case IssuePart::assignee: *issue.mutable_assignee_stamp() = std::move(stamp); return;
    case IssuePart::priority: *issue.mutable_priority_stamp() = std::move(stamp); return;
  }
}

std::string find_instance(const Reader& reader) {
  return std::string(reader.get(Table::meta, instance_key).value_or(""));
}

std::string instance_of(Batch& batch) {
  auto known = find_instance(batch);
  if (!known.empty()) return known;
  std::random_device random;
  constexpr char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) known += digits[random() & 0xfU];
  batch.put(Table::meta, instance_key, known);
  return known;
}

void note_changed(Batch& batch, schema::Issue& issue) {
  if (issue.change() != 0) batch.remove(Table::issue_changes, Key().u64(issue.change()));
  issue.set_change(batch.next_number("issue_change"));
  const auto counters = find_row<schema::IssueCounters>(batch, Table::issue_counters, Key().u64(issue.id()));
  const auto sequence = counters ? counters->last_sequence() : 0;
  batch.put(Table::issue_changes, Key().u64(issue.change()), Key().u64(issue.id()).u64(sequence));
}

std::string render_stamp(const schema::Stamp& stamp) {
  return std::to_string(stamp.ms()) + ' ' + stamp.origin() + (stamp.automatic() ? " 1 " : " 0 ") + plain_name(stamp.name());
}

std::optional<schema::Stamp> parse_stamp(std::string_view text) {
  const auto time = take_word(text);
  const auto origin = take_word(text);
  const auto automatic = take_word(text);
  std::int64_t ms = 0;
  const auto read = std::from_chars(time.data(), time.data() + time.size(), ms);
  if (read.ec != std::errc() || read.ptr != time.data() + time.size() || ms <= 0 || ms > latest_ms) return std::nullopt;
  if (origin.empty() || origin.size() > longest_origin || !std::all_of(origin.begin(), origin.end(), is_visible)) return std::nullopt;
  if (automatic != "0" && automatic != "1") return std::nullopt;
  schema::Stamp stamp;
  stamp.set_ms(ms);
  stamp.set_origin(std::string(origin));
  stamp.set_automatic(automatic == "1");
  stamp.set_name(plain_name(text));
  return stamp;
}

}  // namespace picket::buffer
