#include "api/digest/tag_folds.h"

#include "api/digest/tag_rows.h"
#include "api/digest/waiting_tags.h"
#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/schema_number.h"
#include "buffer/text_table.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace picket::digest {
namespace {

using buffer::Batch;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::string_view folds_key = "tag_folds";

// The number of the newest run that there ever was since nothing waited.
std::uint64_t newest_run(const buffer::Reader& reader, const std::vector<std::uint64_t>& folded) {
  auto cursor = reader.cursor(Table::tag_runs);
  return std::max(cursor.last() ? KeyReader(cursor.key()).u64() : 0, std::ranges::max(folded));
}

}  // namespace

std::vector<std::uint64_t> read_tag_folds(const buffer::Reader& reader) {
  const auto stored = reader.get(Table::meta, folds_key).value_or(std::string_view());
  std::vector<std::uint64_t> folded(stored.size() < 8 ? tag_slices : stored.size() / 8);
  KeyReader numbers(stored);
  for (auto& number : folded) number = numbers.u64();
  return folded;
}

void write_tag_folds(Batch& batch, const std::vector<std::uint64_t>& folded) {
  Key numbers;
  for (const auto number : folded) numbers.u64(number);
  batch.put(Table::meta, folds_key, numbers);
}

// What waits of a slice, put together as one.
class TagFold {
 public:
  TagFold(const WaitingTags& waiting, std::size_t slice) {
    for (const auto& of : waiting.runs_) {
      if (of.number > waiting.folded_[slice]) gather(waiting, of.run, slice);
    }
    put_in_order();
  }
  const TagIncrements& added() const { return added_; }

 private:
  struct Part {
    std::uint64_t issue = 0;
    std::uint64_t project = 0;
    std::size_t begin = 0;  // of its uses
    std::size_t end = 0;
  };

  void gather(const WaitingTags& waiting, const TagRun& run, std::size_t slice) {
    constexpr std::uint32_t unknown = ~std::uint32_t{0};
    numbers_.assign(run.tags(), unknown);
    for (std::size_t owner = 0; owner < run.owners(); ++owner) {
      const auto issue = run.issue(owner);
      if (tag_slice_of(issue, waiting.folded_.size()) != slice) continue;
      Part part{.issue = issue, .project = run.project(owner), .begin = uses_.size()};
      for (TagRun::Uses uses(run, owner); uses.next();) {
        auto& number = numbers_[uses.tag()];
        if (number == unknown) number = tags_.intern(run.tag(uses.tag()));
        uses_.push_back({number, uses.sum()});
      }
      part.end = uses_.size();
      parts_.push_back(part);
    }
  }

  void put_in_order() {
    std::vector<std::uint32_t> order(tags_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::uint32_t number) { return tags_[number]; });
    std::vector<std::uint32_t> rank_of(order.size());
    added_.tags.reserve(order.size());
    for (const auto number : order) {
      rank_of[number] = static_cast<std::uint32_t>(added_.tags.size());
      added_.tags.push_back(tags_[number]);
    }
    std::ranges::sort(parts_, {}, &Part::issue);
    added_.uses.reserve(uses_.size());
    for (std::size_t i = 0; i < parts_.size();) {
      const auto& first = parts_[i];
      const auto begin = added_.uses.size();
      for (; i < parts_.size() && parts_[i].issue == first.issue; ++i) {
        for (auto use = parts_[i].begin; use < parts_[i].end; ++use)
          added_.uses.push_back({rank_of[uses_[use].tag], uses_[use].sum});
      }
      join_equal(begin);
      added_.owners.push_back({first.issue, first.project, added_.uses.size()});
    }
  }

  // From `begin` on: each tag once, ascending.
  void join_equal(std::size_t begin) {
    auto& uses = added_.uses;
    const auto from = uses.begin() + static_cast<std::ptrdiff_t>(begin);
    std::sort(from, uses.end(), [](const auto& a, const auto& b) { return a.tag < b.tag; });
    auto kept = from;
    for (auto use = from; use != uses.end(); ++use) {
      if (kept != from && std::prev(kept)->tag == use->tag) {
        std::prev(kept)->sum.add(use->sum);
      } else {
        *kept++ = *use;
      }
    }
    uses.erase(kept, uses.end());
  }

  buffer::TextTable tags_;
  std::vector<std::uint32_t> numbers_;  // of a run's tags in `tags_`
  std::vector<Part> parts_;
  std::vector<TagIncrements::Use> uses_;
  TagIncrements added_;
};

namespace {

// Runs that nobody waits for any more.
void drop_runs(Batch& batch, const std::vector<std::uint64_t>& folded) {
  const auto oldest = std::ranges::min(folded);
  std::vector<std::string> done;
  auto cursor = batch.cursor(Table::tag_runs);
  bool there = cursor.first();
  for (; there && KeyReader(cursor.key()).u64() <= oldest; there = cursor.next()) done.emplace_back(cursor.key());
  for (const auto& key : done) batch.remove(Table::tag_runs, key);
  if (there) return write_tag_folds(batch, folded);
  batch.remove(Table::meta, folds_key);
  buffer::release_reader(batch);
}

void fold_slice(Batch& batch, std::vector<std::uint64_t> folded, std::size_t slice) {
  const auto newest = newest_run(batch, folded);
  if (folded[slice] == newest) return;
  const WaitingTags waiting(batch);
  if (waiting.damaged() > 0) {
    log(Level::error, "digest", "runs of tags make no sense and are passed over", {{"runs", std::uint64_t{waiting.damaged()}}});
  }
  const TagFold fold(waiting, slice);
  add_to_rows(batch, fold.added());
  folded[slice] = newest;
  drop_runs(batch, folded);
}

bool any_waits(const buffer::Reader& reader) {
  return reader.entries(Table::tag_runs) > 0;
}

}  // namespace

void add_tags(Batch& batch, const TagIncrements& added) {
  const bool many = added.owners.size() >= least_waiting_issues;
  if (!many) add_to_rows(batch, added);
  if (many) {
    if (!any_waits(batch)) buffer::hold_reader(batch, buffer::tag_runs_reader);
    const auto folded = read_tag_folds(batch);
    batch.put(Table::tag_runs, Key().u64(newest_run(batch, folded) + 1), render_tag_run(added));
  }
  fold_some_tags(batch);
}

void fold_tags_of(Batch& batch, std::uint64_t issue) {
  if (!any_waits(batch)) return;
  auto folded = read_tag_folds(batch);
  const auto slice = tag_slice_of(issue, folded.size());
  fold_slice(batch, std::move(folded), slice);
}

bool fold_some_tags(Batch& batch) {
  if (!any_waits(batch)) return false;
  auto folded = read_tag_folds(batch);
  const auto slice = static_cast<std::size_t>(std::ranges::min_element(folded) - folded.begin());
  fold_slice(batch, std::move(folded), slice);
  return any_waits(batch);
}

}  // namespace picket::digest
