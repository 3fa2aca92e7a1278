// Span, log and metric containers, transactions and replay videos: whatever the payload holds, facts are
// bounded and can be written and read back.

#include "api/digest/fact_reader.h"
#include "api/facts/block.h"
#include "fuzz/invariant.h"
#include "relay/protocol/recording.h"

#include <vector>

namespace picket::digest {

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::as_text(bytes, size);
  const auto video = relay::split_replay_video(text);
  fuzz::check(video.event.size() + video.recording.size() + video.video.size() <= 3 * size, "parts are of the whole");
  (void)relay::recording_json(text, 1 << 16);
  const FactContext context{.project = 1, .sequence = 1, .item = 0, .received_ms = 1'700'000'000'000, .sent_at_ms = 0, .max_age = Duration(86'400'000)};
  facts::FactRows rows;
  bool repaired = false;
  for (int reading = 0; reading < 4; ++reading) {
    const auto payload = parse_json(text, repaired);
    if (!payload) return 0;
    if (reading == 0) (void)read_span_facts(*payload, context, rows);
    if (reading == 1) (void)read_log_facts(*payload, context, rows);
    if (reading == 2) (void)read_metric_facts(*payload, context, rows);
    if (reading == 3) {
      if (const auto object = object_of(*payload)) read_transaction_facts(*object, context, relay::EventId(), 0, rows);
    }
  }
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < rows.size() && i < facts::block_rows; ++i) {
    fuzz::check(rows.row(i).cells <= facts::most_attributes, "attributes are bounded");
    all.push_back(i);
  }
  const auto block = facts::encode_block(rows, all);
  const auto view = facts::BlockView::parse(block);
  fuzz::check(static_cast<bool>(view), "what is written can be read");
  facts::FactRows back;
  fuzz::check(static_cast<bool>(facts::decode_block(*view, facts::Dataset::spans, 1, back)), "a block decodes");
  fuzz::check(back.size() == all.size(), "every fact is there");
  return 0;
}

}  // namespace picket::digest
