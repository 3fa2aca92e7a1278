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

// One tag of one event. Owners (issues or projects) and tags are numbered by their order in keys, so
// that sorting numbers sorts keys.
struct Use {
  std::uint64_t place = 0;  // owner's number << 32 | rank of the tag
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
    count(Table::issue_tags, [this](std::uint32_t index) { return context_.issue_of[index]; });
    write_postings();
    count(Table::project_tags, [this](std::uint32_t index) { return context_.event(index).place.project; });
  }

 private:
  template <class OwnerOf>  // event's index → issue or project
  void count(Table table, OwnerOf owner_of) {
    owners_.clear();
    for (const auto index : context_.kept) owners_.push_back(owner_of(index));
    std::ranges::sort(owners_);
    owners_.erase(std::ranges::unique(owners_).begin(), owners_.end());
    uses_.clear();
    uses_.reserve(context_.parsed.tag_ids.size());
    for (const auto index : context_.kept) {
      const auto owner = static_cast<std::uint64_t>(std::ranges::lower_bound(owners_, owner_of(index)) - owners_.begin());
      const auto& event = context_.event(index);
      for (std::size_t i = 0; i < event.tag_count; ++i) {
        const auto rank = ranking_.rank_of[context_.parsed.tag_ids[event.first_tag + i]];
        uses_.push_back({owner << 32 | rank, event.timestamp_ms});
      }
    }
    std::ranges::sort(uses_, {}, &Use::place);
    write_counts(table);
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

  void write_counts(Table table) {
    schema::TagCount row;
    std::string bytes;
    auto editor = batch_.edit(table);
    Key key;
    for (auto use = uses_.begin(); use != uses_.end();) {
      const auto place = use->place;
      std::uint64_t count = 0;
      auto first = use->at_ms;
      auto last = first;
      for (; use != uses_.end() && use->place == place; ++use, ++count) {
        first = std::min(first, use->at_ms);
        last = std::max(last, use->at_ms);
      }
      const auto owner = owners_[place >> 32];
      const auto rank = static_cast<std::uint32_t>(place);
      key.clear();
      key.u64(owner).raw(suffix(rank));
      const auto stored = editor.find(key);
      row.Clear();
      if (stored) {
        row.ParseFromArray(stored->data(), static_cast<int>(stored->size()));
      } else if (table == Table::issue_tags) {
        first_uses_.emplace_back(project_of(owner), rank, owner);
      }
      row.set_count(row.count() + count);
      row.set_first_seen_ms(stored ? std::min(first, row.first_seen_ms()) : first);
      row.set_last_seen_ms(std::max(row.last_seen_ms(), last));
      bytes.clear();
      row.AppendToString(&bytes);
      editor.put(key, bytes);
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
  std::vector<std::uint64_t> owners_;  // of what is counted: ascending
  std::vector<Use> uses_;
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
