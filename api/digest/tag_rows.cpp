#include "api/digest/tag_rows.h"

#include "api/digest/postings.h"
#include "buffer/keys.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

using FirstUse = std::tuple<std::uint64_t, std::uint32_t, std::uint64_t>;  // project, tag, issue

// Block by block.
void write_postings(buffer::Batch& batch, const TagIncrements& added, std::vector<FirstUse> first_uses) {
  std::ranges::sort(first_uses);
  auto editor = batch.edit(Table::issues_by_tag);
  std::string row;
  for (std::size_t i = 0; i < first_uses.size();) {
    const auto [project, tag, first] = first_uses[i];
    const auto key = posting_key(project, added.tags[tag], first);
    row = editor.find(key).value_or(std::string_view());
    for (; i < first_uses.size(); ++i) {
      const auto [of, other, issue] = first_uses[i];
      if (of != project || other != tag || issue / posting_block != first / posting_block) break;
      add_posting(row, issue);
    }
    editor.put(key, row);
  }
}

}  // namespace

bool TagRowWriter::add(std::string_view key, const TagSum& sum) {
  const auto stored = editor_.find(key);
  row_.Clear();
  if (stored) row_.ParseFromArray(stored->data(), static_cast<int>(stored->size()));
  row_.set_count(row_.count() + sum.count);
  row_.set_first_seen_ms(stored ? std::min(sum.first_ms, row_.first_seen_ms()) : sum.first_ms);
  row_.set_last_seen_ms(std::max(row_.last_seen_ms(), sum.last_ms));
  bytes_.clear();
  row_.AppendToString(&bytes_);
  editor_.put(key, bytes_);
  return stored.has_value();
}

void add_to_rows(buffer::Batch& batch, const TagIncrements& added) {
  std::vector<FirstUse> first_uses;
  {
    TagRowWriter rows(batch, Table::issue_tags);
    Key key;
    std::size_t at = 0;
    for (const auto& owner : added.owners) {
      for (; at < owner.end; ++at) {
        const auto& use = added.uses[at];
        key.clear();
        key.u64(owner.issue).raw(added.tags[use.tag]);
        if (!rows.add(key, use.sum)) first_uses.emplace_back(owner.project, use.tag, owner.issue);
      }
    }
  }
  write_postings(batch, added, std::move(first_uses));
}

}  // namespace picket::digest
