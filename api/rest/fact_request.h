// What the endpoints over facts (events, traces, trace items) share: a request's projects, time and
// environments as a question to the facts, and cells as JSON.
#pragma once

#include "api/query/fact_search.h"
#include "api/rest/router.h"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace picket::rest {

// errors, spans, logs, ourlogs, transactions, tracemetrics …; nothing for a word that is no dataset.
std::optional<facts::Dataset> parse_dataset(std::string_view name);
// The word that answers use.
std::string_view dataset_name(facts::Dataset dataset);

// What `dataset` says, or the 400 that names those there are. Without one the classic Discover is
// meant: transactions when the question is about them, else errors.
struct NamedDataset {
  facts::Dataset dataset = facts::Dataset::errors;
  bool served_empty = false;  // known, and nothing of it is kept here
  std::string name;           // as an answer's meta tells
};
std::variant<NamedDataset, Reply> named_dataset(const Call& call);

// Projects, period (90 days when none is given) and environments of the call; no fields, no condition.
std::variant<query::FactRequest, Reply> fact_request(Api& api, const Call& call, facts::Dataset dataset);

// A field, a function or an equation to the columns asked for, once for the same text.
std::optional<Error> add_column(query::FactRequest& request, std::string_view text);
// `sort`, or `orderby`: a column, perhaps as older clients name one ("-count" for -count()).
std::optional<Error> add_sorts(const Call& call, query::FactRequest& request);

query::FieldExpression fact_field(std::string_view name);
// field:text
query::Condition fact_condition(std::string_view field, std::string_view text);

boost::json::value render_cell(const query::FactCell& cell);
// 400 with the error's words, for what a client may mend; also for a question that took too long.
Reply fact_refusal(const Error& error);

}  // namespace picket::rest
