#include "api/query/fact_issues.h"

#include "api/query/issue_names.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <optional>
#include <utility>

namespace picket::query {

const FactIssues::Name& FactIssues::find(std::uint64_t issue) {
  if (const auto found = known_.find(issue); found != known_.end()) return found->second;
  Name name;
  if (const auto id = issue == 0 ? std::nullopt : resolve_issue(reader_, issue)) {
    const auto row =
        buffer::find_row<schema::Issue>(reader_, buffer::Table::issues, buffer::Key().u64(*id));
    const auto project = row ? buffer::find_row<schema::Project>(reader_, buffer::Table::projects,
                                                                 buffer::Key().u64(row->project()))
                             : std::nullopt;
    if (row && project) {
      name.id = *id;
      name.short_id = render_short_id(project->slug(), row->short_number());
    }
  }
  return known_.emplace(issue, std::move(name)).first->second;
}

bool FactIssues::frames_pass(std::uint64_t issue, const FrameTest& test) {
  auto& known = frames_[&test];
  if (const auto found = known.find(issue); found != known.end()) return found->second;
  const auto id = find(issue).id;
  const auto texts = id == 0 ? std::nullopt
                             : buffer::find_row<schema::IssueTexts>(reader_, buffer::Table::issue_texts, buffer::Key().u64(id));
  return known.emplace(issue, test(texts ? std::string_view(texts->frames()) : std::string_view())).first->second;
}

}  // namespace picket::query
