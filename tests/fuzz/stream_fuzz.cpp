// A stream of `picket journal export`, whatever it holds: what is given out can be written and read again, is
// no more than what came in, and ends.
#include "api/journal_stream.h"

#include "fuzz/invariant.h"

#include <sstream>
#include <string>

namespace picket::api {

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::istringstream in{std::string(fuzz::as_text(bytes, size))};
  StreamReader reader(in, {});
  if (!reader.open()) return 0;
  std::size_t given = 0;
  for (;;) {
    auto next = reader.next();
    if (!next || !*next) return 0;
    const auto& [sequence, record] = **next;
    given += record.body.size();
    fuzz::check(given <= size, "bodies are of the stream");
    const buffer::StoredRecord stored{.sequence = sequence,
                                      .coding = record.coding,
                                      .received = record.received,
                                      .project = record.project,
                                      .key = record.key,
                                      .meta = record.meta,
                                      .body = record.body};
    std::string text = render_stream_head() + "\n" + render_stream_record(stored) + "\n";
    text.append(record.body).append("\n").append(render_stream_end(1)).append("\n");
    std::istringstream again(text);
    StreamReader second(again, {});
    fuzz::check(bool(second.open()), "what is written is a stream");
    const auto same = second.next();
    fuzz::check(same && *same && (*same)->record.body == record.body.view() && (*same)->record.meta == record.meta && (*same)->sequence == sequence,
                "what is written is what was read");
    const auto end = second.next();
    fuzz::check(end && !*end, "the stream ends");
  }
}

}  // namespace picket::api
