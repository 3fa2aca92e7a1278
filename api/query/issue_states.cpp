#include "api/query/issue_states.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace picket::query {
namespace {

using digest::Status;
using digest::Substatus;

template <Status Wanted>
bool has_status(const IssueColumn& issue, Time) {
  return issue.status == static_cast<std::uint8_t>(Wanted);
}

template <Substatus Wanted>
bool has_substatus(const IssueColumn& issue, Time now) {
  return substatus_at(issue, now) == Wanted;
}

bool is_assigned(const IssueColumn& issue, Time) {
  return issue.assigned_user != 0 || issue.assigned_team != 0;
}
bool is_unassigned(const IssueColumn& issue, Time now) {
  return !is_assigned(issue, now);
}
// What somebody should look at: it is new, has come back or grows.
bool needs_review(const IssueColumn& issue, Time now) {
  if (!has_status<Status::unresolved>(issue, now)) return false;
  const auto substatus = substatus_at(issue, now);
  return substatus == Substatus::new_ || substatus == Substatus::regressed || substatus == Substatus::escalating;
}
bool never(const IssueColumn&, Time) {
  return false;
}
bool always(const IssueColumn&, Time) {
  return true;
}

const std::vector<std::pair<std::string_view, StateTest>>& states() {
  static const std::vector<std::pair<std::string_view, StateTest>> all = {
      {"archived", has_status<Status::ignored>},
      {"archived_forever", has_substatus<Substatus::archived_forever>},
      {"archived_until_condition_met", has_substatus<Substatus::archived_until_condition_met>},
      {"archived_until_escalating", has_substatus<Substatus::archived_until_escalating>},
      {"assigned", is_assigned},
      {"escalating", has_substatus<Substatus::escalating>},
      {"for_review", needs_review},
      {"ignored", has_status<Status::ignored>},
      {"linked", never},  // no integrations here
      {"muted", has_status<Status::ignored>},
      {"new", has_substatus<Substatus::new_>},
      {"ongoing", has_substatus<Substatus::ongoing>},
      {"regressed", has_substatus<Substatus::regressed>},
      {"reprocessing", never},
      {"resolved", has_status<Status::resolved>},
      {"unassigned", is_unassigned},
      {"unlinked", always},
      {"unresolved", has_status<Status::unresolved>},
  };
  return all;
}

}  // namespace

StateTest parse_state(std::string_view word) {
  const auto& all = states();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.first == word; });
  return found == all.end() ? nullptr : found->second;
}

std::string state_words() {
  std::string words;
  for (const auto& [word, test] : states()) {
    if (!words.empty()) words += ", ";
    words += word;
  }
  return words;
}

Substatus substatus_at(const IssueColumn& issue, Time now) {
  schema::Issue row;
  row.set_substatus(issue.substatus);
  row.set_first_seen_ms(issue.first_seen_ms);
  return digest::substatus_at(row, now);
}

}  // namespace picket::query
