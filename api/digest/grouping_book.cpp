#include "api/digest/grouping_book.h"

#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/rows.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/json_object.h"

#include <utility>

namespace picket::digest {

grouping::Config grouping_config(std::string_view options_json) {
  std::string stack;
  std::string fingerprint;
  relay::JsonObjectReader reader(options_json);
  while (const auto field = reader.next()) {
    if (!field->is_string()) continue;
    if (field->named("groupingEnhancements")) stack = relay::unescape_json(field->raw_text());
    if (field->named("fingerprintingRules")) fingerprint = relay::unescape_json(field->raw_text());
  }
  auto made = grouping::Config::make(stack, fingerprint);
  if (made) return *std::move(made);
  log(Level::warning, "digest", "grouping rules of a project left out", {{"reason", made.error().detail}});
  return grouping::Config::defaults();
}

const grouping::Config& GroupingBook::of(std::uint64_t project) {
  auto& entry = entries_[project];
  if (entry.round == round_) return entry.config;
  const bool first = entry.round == 0;
  entry.round = round_;
  const auto snapshot = tables_.snapshot();
  const auto row = buffer::find_row<schema::Project>(snapshot, buffer::Table::projects, buffer::Key().u64(project));
  const auto& options = row ? row->options_json() : std::string();
  if (!first && options == entry.options_json) return entry.config;
  entry.options_json = options;
  entry.config = grouping_config(options);
  return entry.config;
}

}  // namespace picket::digest
