// Which items a destination is to have, by what its [[upstream]] section includes and excludes.
//
//   wanted  =  every list: (include empty or it matches) and exclude does not match
//
// Environments, releases and levels are globs, letter case does not matter. What an item does not say
// is matched as the empty text, which "*" and "" match. Levels are of events; other items have none
// and pass.
//
// THREADS  Immutable; from any thread.
#pragma once

#include "buffer/result.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/dsn.h"
#include "relay/protocol/glob.h"
#include "upstream/config.h"
#include "upstream/item_facts.h"

#include <set>
#include <string>

namespace picket::upstream {

class Routing {
 public:
  static constexpr std::size_t most_words = 100;  // of one list

  // Fault::malformed names the key and what is wrong with it.
  static Result<Routing> make(const RoutingConfig& config);

  bool takes_all() const { return by_project_.empty() && by_category_.empty() && !looks_inside(); }
  bool has_categories() const { return !by_category_.empty(); }
  // Payloads have to be read.
  bool looks_inside() const { return !environments_.empty() || !releases_.empty() || !levels_.empty(); }

  bool takes_project(relay::ProjectId project) const { return by_project_.takes(project); }
  bool takes_category(relay::DataCategory category) const { return by_category_.takes(category); }
  // Named in exclude_categories: goes not even with what it belongs to.
  bool excludes(relay::DataCategory category) const { return by_category_.excluded.contains(category); }
  bool takes(const ItemFacts& facts) const;

 private:
  template <class Value>
  struct Values {
    std::set<Value> included;
    std::set<Value> excluded;
    bool empty() const { return included.empty() && excluded.empty(); }
    bool takes(const Value& value) const {
      return (included.empty() || included.contains(value)) && !excluded.contains(value);
    }
  };
  struct Globs {
    relay::GlobSet included;
    relay::GlobSet excluded;
    bool empty() const { return included.empty() && excluded.empty(); }
    bool takes(std::string_view text) const {
      return (included.empty() || included.matches(text)) && !excluded.matches(text);
    }
  };
  static Result<Globs> parse_globs(const WordsConfig& words, const std::string& name);

  Values<relay::ProjectId> by_project_;
  Values<relay::DataCategory> by_category_;
  Globs environments_;
  Globs releases_;
  Globs levels_;
};

// "error" …, and the names that the ledger gives to what Sentry does not count.
Result<relay::DataCategory> parse_category(const std::string& word);

}  // namespace picket::upstream
