#include "api/digest/waiting_tags.h"

#include "api/digest/tag_folds.h"
#include "buffer/keys.h"

#include <algorithm>

namespace picket::digest {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

WaitingTags::WaitingTags(const buffer::Reader& reader) {
  auto cursor = reader.cursor(Table::tag_runs);
  bool there = cursor.first();
  if (!there) return;
  folded_ = read_tag_folds(reader);
  for (; there; there = cursor.next()) {
    const auto run = TagRun::parse(cursor.value());
    if (run) runs_.push_back({KeyReader(cursor.key()).u64(), *run});
    damaged_ += run ? 0U : 1U;
  }
}

template <class Visit>
void WaitingTags::for_each_of(std::uint64_t issue, const Visit& visit) const {
  for (const auto& of : runs_) {
    if (!waits(of, issue)) continue;
    const auto owner = of.run.lower_bound_owner(issue);
    if (owner < of.run.owners() && of.run.issue(owner) == issue) visit(of.run, owner);
  }
}

std::vector<WaitingTags::TagUse> WaitingTags::uses_of(std::uint64_t issue, std::string_view prefix) const {
  std::vector<TagUse> found;
  for_each_of(issue, [&](const TagRun& run, std::size_t owner) {
    const auto first = run.lower_bound_tag(prefix);
    for (TagRun::Uses uses(run, owner); uses.next();) {
      if (uses.tag() < first) continue;
      const auto tag = run.tag(uses.tag());
      if (!tag.starts_with(prefix)) break;
      found.emplace_back(tag, uses.sum());
    }
  });
  std::ranges::sort(found, {}, &TagUse::first);
  std::size_t kept = 0;
  for (const auto& use : found) {
    if (kept > 0 && found[kept - 1].first == use.first) {
      found[kept - 1].second.add(use.second);
    } else {
      found[kept++] = use;
    }
  }
  found.resize(kept);
  return found;
}

std::vector<std::string> WaitingTags::keys_of(std::uint64_t issue) const {
  std::vector<std::string> keys;
  for_each_of(issue, [&](const TagRun& run, std::size_t owner) {
    std::string_view last;  // with the byte that ends it
    for (TagRun::Uses uses(run, owner); uses.next();) {
      const auto tag = run.tag(uses.tag());
      if (!last.empty() && tag.starts_with(last)) continue;
      last = tag.substr(0, tag.find('\0') + 1);
      keys.emplace_back(KeyReader(tag).text());
    }
  });
  return keys;
}

void WaitingTags::holders(std::uint64_t project, std::string_view tag, std::vector<std::uint64_t>& issues) const {
  matching_holders(project, tag, [](std::string_view rest) { return rest.empty(); }, issues);
}

void WaitingTags::matching_holders(std::uint64_t project,
                                   std::string_view prefix,
                                   const std::function<bool(std::string_view)>& passes,
                                   std::vector<std::uint64_t>& issues) const {
  std::vector<std::size_t> owners;
  for (const auto& of : runs_) {
    for (auto tag = of.run.lower_bound_tag(prefix); tag < of.run.tags(); ++tag) {
      const auto text = of.run.tag(tag);
      if (!text.starts_with(prefix)) break;
      if (!passes(text.substr(prefix.size()))) continue;
      owners.clear();
      of.run.holders(tag, owners);
      for (const auto owner : owners) {
        const auto issue = of.run.issue(owner);
        if (of.run.project(owner) == project && waits(of, issue)) issues.push_back(issue);
      }
    }
  }
}

void WaitingTags::find(std::span<IssueTag> tags) const {
  for (const auto& of : runs_) find_in(of, tags);
}

// Both ascend: one step through each.
void WaitingTags::find_in(const Run& of, std::span<IssueTag> tags) const {
  const auto& run = of.run;
  std::size_t owner = 0;
  for (std::size_t i = 0; i < tags.size();) {
    const auto issue = tags[i].issue;
    auto end = i + 1;
    while (end < tags.size() && tags[end].issue == issue) ++end;
    owner = run.lower_bound_owner(issue, owner);
    if (owner == run.owners()) return;
    if (run.issue(owner) == issue && waits(of, issue)) {
      TagRun::Uses uses(run, owner);
      const auto first = run.lower_bound_tag(tags[i].tag);
      bool there = uses.next();
      while (there && uses.tag() < first) there = uses.next();
      for (auto wanted = i; there && wanted < end; ++wanted) {
        while (there && run.tag(uses.tag()) < tags[wanted].tag) there = uses.next();
        if (there && run.tag(uses.tag()) == tags[wanted].tag) tags[wanted].known = true;
      }
    }
    i = end;
  }
}

void mark_known(const buffer::Reader& reader, std::span<IssueTag> tags) {
  const WaitingTags waiting(reader);
  waiting.find(tags);
  auto rows = reader.finder(Table::issue_tags);
  Key key;
  for (auto& tag : tags) {
    if (tag.known) continue;
    key.clear();
    tag.known = rows.has(key.u64(tag.issue).raw(tag.tag));
  }
}

}  // namespace picket::digest
