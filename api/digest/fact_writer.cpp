// The section of facts: what the batch's items say, without what turned out to be duplicates.
#include "api/digest/batch_writer.h"
#include "api/facts/store.h"

namespace picket::digest {

void write_facts(WriteContext& context) {
  if (context.parsed.facts.empty()) return;
  facts::Selection selection;
  selection.kept.resize(context.parsed.events.size());
  for (const auto index : context.kept) selection.kept[index] = true;
  selection.issues = context.issue_of;
  selection.known_project = [&](std::uint64_t project) {
    return context.projects.contains(project);
  };
  facts::append_facts(context.batch, context.parsed.facts, selection);
}

}  // namespace picket::digest
