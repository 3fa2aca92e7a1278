// The words after `is:`.
#pragma once

#include "api/digest/issue_state.h"
#include "api/query/issue_columns.h"
#include "buffer/clock.h"

#include <string>
#include <string_view>

namespace picket::query {

using StateTest = bool (*)(const IssueColumn& issue, Time now);

// Nothing (nullptr) for a word that is none.
StateTest parse_state(std::string_view word);
std::string state_words();  // "archived, assigned, …"

// As digest::substatus_at, of a column.
digest::Substatus substatus_at(const IssueColumn& issue, Time now);

}  // namespace picket::query
