#include "upstream/routing.h"

#include <tuple>
#include <utility>

namespace picket::upstream {
namespace {

using relay::DataCategory;

Result<relay::ProjectId> parse_project(const std::string& word) {
  const auto id = relay::parse_project_id(word);
  if (!id) return Error{Fault::malformed, "\"" + word.substr(0, 100) + "\" is not a project id of this Picket"};
  return *id;
}

Error too_many(const std::string& key) {
  return Error{Fault::malformed, key + ": more than " + std::to_string(Routing::most_words) + " words"};
}

template <class Value, class Parse>
Result<std::set<Value>> parse_words(const std::vector<std::string>& words, const std::string& key, const Parse& parse) {
  if (words.size() > Routing::most_words) return too_many(key);
  std::set<Value> values;
  for (const std::string& word : words) {
    const Result<Value> value = parse(word);
    if (!value) return Error{Fault::malformed, key + ": " + value.error().detail};
    values.insert(*value);
  }
  return values;
}

}  // namespace

Result<DataCategory> parse_category(const std::string& word) {
  if (const auto category = relay::parse_data_category(word)) return *category;
  for (const auto ours : {DataCategory::client_report, DataCategory::user_report, DataCategory::unknown}) {
    if (word == relay::wire_name(ours)) return ours;
  }
  return Error{Fault::malformed, "\"" + word.substr(0, 100) +
                                     "\" is no category; those are error, transaction, attachment, session, span, log_item, "
                                     "monitor, profile, replay, feedback …, as `picket ledger` shows them"};
}

Result<Routing::Globs> Routing::parse_globs(const WordsConfig& words, const std::string& name) {
  Globs globs;
  for (const auto& [key, from, to] : {std::tuple("include_" + name, &words.include, &globs.included),
                                      std::tuple("exclude_" + name, &words.exclude, &globs.excluded)}) {
    if (from->size() > most_words) return too_many(key);
    auto set = relay::GlobSet::parse(*from);
    if (!set) return Error{Fault::malformed, key + ": " + set.error().detail};
    *to = *std::move(set);
  }
  return globs;
}

Result<Routing> Routing::make(const RoutingConfig& config) {
  Routing routing;
  for (const auto& [key, words, values] :
       {std::tuple("include_projects", &config.projects.include, &routing.by_project_.included),
        std::tuple("exclude_projects", &config.projects.exclude, &routing.by_project_.excluded)}) {
    auto parsed = parse_words<relay::ProjectId>(*words, key, parse_project);
    if (!parsed) return parsed.error();
    *values = *std::move(parsed);
  }
  for (const auto& [key, words, values] :
       {std::tuple("include_categories", &config.categories.include, &routing.by_category_.included),
        std::tuple("exclude_categories", &config.categories.exclude, &routing.by_category_.excluded)}) {
    auto parsed = parse_words<DataCategory>(*words, key, parse_category);
    if (!parsed) return parsed.error();
    *values = *std::move(parsed);
  }
  for (const auto& [name, words, globs] : {std::tuple("environments", &config.environments, &routing.environments_),
                                           std::tuple("releases", &config.releases, &routing.releases_),
                                           std::tuple("levels", &config.levels, &routing.levels_)}) {
    auto parsed = parse_globs(*words, name);
    if (!parsed) return parsed.error();
    *globs = *std::move(parsed);
  }
  return routing;
}

bool Routing::takes(const ItemFacts& facts) const {
  return environments_.takes(facts.environment.value_or("")) && releases_.takes(facts.release.value_or("")) &&
         (!facts.level || levels_.takes(*facts.level));
}

}  // namespace picket::upstream
