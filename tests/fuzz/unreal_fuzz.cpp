// Unreal's archive, its context and minidump heads: files lie inside the input; nothing else is promised.

#include "fuzz/invariant.h"
#include "relay/protocol/minidump.h"
#include "relay/protocol/unreal_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using picket::fuzz::check;
  using namespace picket::relay;
  const auto input = picket::fuzz::as_text(bytes, size);
  if (const auto files = parse_unreal_archive(input)) {
    for (const auto& file : *files) {
      check(picket::fuzz::lies_inside(file.contents, input), "a file lies inside the input");
    }
  }
  check(read_xml_leaves(input).size() <= 1'000, "no more leaves than the limit");
  if (is_minidump(input)) read_minidump_facts(input);
  return 0;
}
