#include "api/digest/batch_writer.h"
#include "api/digest/tag_rows.h"
#include "api/digest/waiting_tags.h"
#include "buffer/keys.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

// The ranks of the batch's tags in the order of their suffixes, and the suffixes by rank.
struct Ranking {
  explicit Ranking(const TagTable& tags) : rank_of(tags.size()) {
    std::vector<std::uint32_t> order(tags.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::uint32_t id) { return tags.suffix(id); });
    suffixes.reserve(order.size());
    for (const auto id : order) {
      rank_of[id] = static_cast<std::uint32_t>(suffixes.size());
      suffixes.push_back(tags.suffix(id));
    }
  }
  std::vector<std::string_view> suffixes;
  std::vector<std::uint32_t> rank_of;
};

class TagWriter {
 public:
  explicit TagWriter(WriteContext& context) : context_(context), ranking_(context.parsed.tags) {}

  void run() {
    count_of_issues();
    count_of_projects();
  }

 private:
  template <class Visit>  // with the rank of each of an event's tags
  void for_each_tag(const DigestedEvent& event, const Visit& visit) const {
    const auto& ids = context_.parsed.tag_ids;
    for (std::size_t i = 0; i < event.tag_count; ++i) visit(ranking_.rank_of[ids[event.first_tag + i]]);
  }

  void count_of_issues() {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> order;  // issue, event
    for (const auto index : context_.kept) {
      if (context_.event(index).tag_count > 0) order.emplace_back(context_.issue_of[index], index);
    }
    std::ranges::sort(order);
    TagIncrements added{.tags = ranking_.suffixes, .owners = {}, .uses = {}};
    added.uses.reserve(context_.parsed.tag_ids.size());
    std::vector<std::pair<std::uint32_t, std::int64_t>> uses;  // rank, time
    for (std::size_t i = 0; i < order.size();) {
      const auto issue = order[i].first;
      const auto project = context_.event(order[i].second).place.project;
      uses.clear();
      for (; i < order.size() && order[i].first == issue; ++i) {
        const auto& event = context_.event(order[i].second);
        for_each_tag(event, [&](std::uint32_t rank) { uses.emplace_back(rank, event.timestamp_ms); });
      }
      std::ranges::sort(uses);
      for (std::size_t use = 0; use < uses.size();) {
        const auto [rank, first_ms] = uses[use];
        const auto begin = use;
        while (use < uses.size() && uses[use].first == rank) ++use;
        added.uses.push_back({rank, {use - begin, first_ms, uses[use - 1].second}});
      }
      added.owners.push_back({issue, project, added.uses.size()});
    }
    add_tags(context_.batch, added);
  }

  void count_of_projects() {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> order;  // project, event
    for (const auto index : context_.kept) order.emplace_back(context_.event(index).place.project, index);
    std::ranges::sort(order);
    TagRowWriter rows(context_.batch, Table::project_tags);
    std::vector<TagSum> sums(ranking_.suffixes.size());
    std::vector<std::uint32_t> used;
    Key key;
    for (std::size_t i = 0; i < order.size();) {
      const auto project = order[i].first;
      used.clear();
      for (; i < order.size() && order[i].first == project; ++i) {
        const auto& event = context_.event(order[i].second);
        for_each_tag(event, [&](std::uint32_t rank) {
          if (sums[rank].count == 0) used.push_back(rank);
          sums[rank].add({1, event.timestamp_ms, event.timestamp_ms});
        });
      }
      std::ranges::sort(used);
      for (const auto rank : used) {
        key.clear();
        rows.add(key.u64(project).raw(ranking_.suffixes[rank]), std::exchange(sums[rank], TagSum()));
      }
    }
  }

  WriteContext& context_;
  Ranking ranking_;
};

}  // namespace

void write_tags(WriteContext& context) {
  TagWriter(context).run();
}

}  // namespace picket::digest
