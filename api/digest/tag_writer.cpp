#include "api/digest/batch_writer.h"
#include "api/digest/postings.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

// One tag of one event. Tags are numbered by their order in keys, so that sorting numbers sorts
// keys.
struct Use {
  std::uint64_t owner = 0;  // issue or project
  std::uint32_t rank = 0;
  std::int64_t at_ms = 0;
};

// The ranks of the batch's tags in the order of their suffixes, and the suffixes by rank.
struct Ranking {
  explicit Ranking(const TagTable& tags) : by_rank(tags.size()), rank_of(tags.size()) {
    std::iota(by_rank.begin(), by_rank.end(), 0U);
    std::ranges::sort(by_rank, {}, [&](std::uint32_t id) { return tags.suffix(id); });
    for (std::uint32_t rank = 0; rank < by_rank.size(); ++rank)
      rank_of[by_rank[rank]] = rank;
  }
  std::vector<std::uint32_t> by_rank;
  std::vector<std::uint32_t> rank_of;
};

class TagWriter {
 public:
  explicit TagWriter(WriteContext& context)
      : context_(context), batch_(context.batch), ranking_(context.parsed.tags) {}

  void run() {
    std::vector<Use> uses;
    uses.reserve(context_.parsed.tag_ids.size());
    for (const auto index : context_.kept)
      add_uses(index, context_.issue_of[index], uses);
    write_counts(Table::issue_tags, uses);
    write_postings();
    uses.clear();
    for (const auto index : context_.kept)
      add_uses(index, context_.event(index).place.project, uses);
    write_counts(Table::project_tags, uses);
  }

 private:
  void add_uses(std::uint32_t index, std::uint64_t owner, std::vector<Use>& uses) const {
    const auto& event = context_.event(index);
    for (std::size_t i = 0; i < event.tag_count; ++i) {
      const auto id = context_.parsed.tag_ids[event.first_tag + i];
      uses.push_back({owner, ranking_.rank_of[id], event.timestamp_ms});
    }
  }

  std::string_view suffix(std::uint32_t rank) const {
    return context_.parsed.tags.suffix(ranking_.by_rank[rank]);
  }

  // Enters the issues that have a tag for the first time, block by block.
  void write_postings() {
    std::ranges::sort(first_uses_);
    auto editor = batch_.edit(Table::issues_by_tag);
    std::string row;
    for (std::size_t i = 0; i < first_uses_.size();) {
      const auto [project, rank, first] = first_uses_[i];
      const auto key = posting_key(project, suffix(rank), first);
      row = editor.find(key).value_or(std::string_view());
      for (; i < first_uses_.size(); ++i) {
        const auto [of, tag, issue] = first_uses_[i];
        if (of != project || tag != rank || issue / posting_block != first / posting_block) break;
        add_posting(row, issue);
      }
      editor.put(key, row);
    }
  }

  void write_counts(Table table, std::vector<Use>& uses) {
    std::ranges::sort(uses, [](const Use& a, const Use& b) {
      if (a.owner != b.owner) return a.owner < b.owner;
      return a.rank != b.rank ? a.rank < b.rank : a.at_ms < b.at_ms;
    });
    schema::TagCount row;
    std::string bytes;
    auto editor = batch_.edit(table);
    Key key;
    for (std::size_t begin = 0; begin < uses.size();) {
      std::size_t end = begin;
      while (end < uses.size() && uses[end].owner == uses[begin].owner &&
             uses[end].rank == uses[begin].rank)
        ++end;
      key.clear();
      key.u64(uses[begin].owner).raw(suffix(uses[begin].rank));
      const auto stored = editor.find(key);
      row.Clear();
      if (stored) {
        row.ParseFromArray(stored->data(), static_cast<int>(stored->size()));
      } else if (table == Table::issue_tags) {
        first_uses_.emplace_back(project_of(uses[begin].owner), uses[begin].rank,
                                 uses[begin].owner);
      }
      row.set_count(row.count() + (end - begin));
      if (!stored || uses[begin].at_ms < row.first_seen_ms())
        row.set_first_seen_ms(uses[begin].at_ms);
      row.set_last_seen_ms(std::max(row.last_seen_ms(), uses[end - 1].at_ms));
      bytes.clear();
      row.AppendToString(&bytes);
      editor.put(key, bytes);
      begin = end;
    }
  }

  // The uses of an issue come one after another, so the last answer is nearly always the next.
  std::uint64_t project_of(std::uint64_t issue) {
    if (issue == last_issue_) return last_project_;
    if (projects_.empty()) {
      for (const auto index : context_.kept) {
        if (context_.issue_of[index] != 0) {
          projects_.emplace_back(context_.issue_of[index], context_.event(index).place.project);
        }
      }
      std::ranges::sort(projects_);
    }
    last_issue_ = issue;
    last_project_ = std::ranges::lower_bound(projects_, std::pair(issue, std::uint64_t{0}))->second;
    return last_project_;
  }

  WriteContext& context_;
  buffer::Batch& batch_;
  Ranking ranking_;
  std::vector<std::tuple<std::uint64_t, std::uint32_t, std::uint64_t>>
      first_uses_;                                                 // project, rank, issue
  std::vector<std::pair<std::uint64_t, std::uint64_t>> projects_;  // issue, project
  std::uint64_t last_issue_ = 0;
  std::uint64_t last_project_ = 0;
};

}  // namespace

void write_tags(WriteContext& context) {
  TagWriter(context).run();
}

}  // namespace picket::digest
