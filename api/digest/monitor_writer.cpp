// The check-ins of a batch, in the order in which they came.
#include "api/digest/batch_writer.h"
#include "api/digest/monitor_state.h"

namespace picket::digest {

void write_check_ins(WriteContext& context) {
  for (const auto& check_in : context.parsed.check_ins) {
    Fate fate{relay::Outcome::invalid, "project_id"};
    if (context.projects.contains(check_in.place.project)) fate = take_check_in(context.batch, check_in);
    context.outcomes.add({.project = check_in.place.project,
                          .hour_ms = hour_of(time_from_ms(check_in.place.received_ms)),
                          .category = relay::DataCategory::monitor,
                          .outcome = fate.outcome,
                          .reason = std::string(fate.reason),
                          .key = check_in.place.key},
                         1);
  }
}

}  // namespace picket::digest
