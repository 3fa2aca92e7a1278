// `_meta`: what is said about an item's values, in a tree that mirrors the item.
//
//   {"<key or index>": {…, "": {"rem": [["<rule>", "<type>", start, end], …], "len": n, "err": […],
//   "val": …}}}
//
// What an item brought along is kept; `val`, a value as it was before it was changed, goes with the
// value that it is about.
// https://develop.sentry.dev/backend/application-domains/pii/ (_meta)
#pragma once

#include "relay/scrub/redaction.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::scrub {

using MetaPath = std::vector<std::string>;

class MetaTree {
 public:
  MetaTree() = default;
  // What is not `_meta` as above is kept as far as nothing new has to take its place.
  explicit MetaTree(std::string_view json);

  std::vector<Remark> remarks_at(const MetaPath& path) const;
  // These instead of those there were. `length`: of the value before, in characters.
  void set(const MetaPath& path,
           const std::vector<Remark>& remarks,
           std::optional<std::size_t> length);

  bool changed() const { return changed_; }
  std::string render() const;

 private:
  void read(std::string_view json, int depth);
  void read_own(std::string_view json);
  std::string render_own() const;

  bool changed_ = false;  // here or below
  std::string raw_;       // as it came
  bool has_own_ = false;
  std::vector<Remark> remarks_;
  std::string length_;                                       // as it is written
  std::vector<std::pair<std::string, std::string>> others_;  // members of "", as they came
  std::map<std::string, MetaTree, std::less<>> children_;
};

}  // namespace picket::scrub
