#include "api/digest/ownership.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::string_view generation_key = "ownership_generation";

std::uint64_t stored_generation(const buffer::Reader& reader) {
  const auto stored = reader.get(Table::meta, generation_key);
  return stored ? KeyReader(*stored).u64() : 0;
}

char folded(char c) {
  if (c == '\\') return '/';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

template <class Use>
bool any_frame(const Event& event, const Use& use) {
  const auto any = [&](const std::vector<Frame>& frames) { return std::ranges::any_of(frames, use); };
  if (any(event.stacktrace)) return true;
  return std::ranges::any_of(event.exceptions, [&](const ExceptionValue& each) { return any(each.frames); });
}

bool matches_path(std::string_view pattern, std::string_view path) {
  if (path.empty()) return false;
  return matches_glob(pattern, path) || (pattern.ends_with('/') && matches_glob(std::string(pattern) + "*", path));
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || folded(pattern[p]) == folded(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

bool matches_rule(const schema::OwnershipRule& rule, const Event& event, std::span<const Tag> tags) {
  const std::string_view pattern = rule.pattern();
  const std::string_view matcher = rule.matcher();
  if (matcher == "path" || matcher == "codeowners") {
    return any_frame(event, [&](const Frame& frame) {
      return matches_path(pattern, frame.filename) || matches_path(pattern, frame.abs_path);
    });
  }
  if (matcher == "module")
    return any_frame(event, [&](const Frame& frame) { return !frame.module.empty() && matches_glob(pattern, frame.module); });
  if (matcher == "url") return !event.request_url.empty() && matches_glob(pattern, event.request_url);
  constexpr std::string_view tag_prefix = "tags.";
  if (!matcher.starts_with(tag_prefix)) return false;
  const auto key = matcher.substr(tag_prefix.size());
  return std::ranges::any_of(tags, [&](const Tag& tag) { return tag.key == key && matches_glob(pattern, tag.value); });
}

const schema::OwnershipRule* owning_rule(const schema::Ownership& ownership, const Event& event, std::span<const Tag> tags) {
  for (int i = ownership.rules_size(); i-- > 0;) {
    if (matches_rule(ownership.rules(i), event, tags)) return &ownership.rules(i);
  }
  return nullptr;
}

void OwnershipBook::refresh(const buffer::Reader& reader) {
  const auto generation = stored_generation(reader);
  if (generation == generation_) return;
  generation_ = generation;
  projects_.clear();
  auto cursor = reader.cursor(Table::ownership);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    auto row = buffer::parse_row<schema::Ownership>(cursor.value());
    if (row.rules_size() > 0) projects_[KeyReader(cursor.key()).u64()] = std::move(row);
  }
}

RuledOwner OwnershipBook::owner_of(std::uint64_t project, const Event& event, std::span<const Tag> tags) const {
  const auto found = projects_.find(project);
  if (found == projects_.end()) return {};
  const auto* rule = owning_rule(found->second, event, tags);
  if (rule == nullptr || rule->owners().empty()) return {};
  const bool assign = found->second.auto_assignment() == static_cast<std::uint32_t>(AutoAssignment::owner);
  return {rule->owners(0).user(), rule->owners(0).team(), assign};
}

void put_ownership(buffer::Batch& batch, std::uint64_t project, const schema::Ownership& ownership) {
  buffer::put_row(batch, Table::ownership, Key().u64(project), ownership);
  batch.put(Table::meta, generation_key, Key().u64(stored_generation(batch) + 1));
}

}  // namespace picket::digest
