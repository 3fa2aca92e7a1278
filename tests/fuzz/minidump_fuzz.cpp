// Minidumps: what is read of one lies within it, and scrubbing its memory keeps its length and its head.

#include "fuzz/invariant.h"
#include "relay/protocol/minidump.h"
#include "relay/scrub/blob.h"
#include "relay/scrub/scrubber.h"

#include <string>

namespace picket::scrub {

using fuzz::check;

namespace {

const Scrubber& scrubber() {
  static const auto made = [] {
    Settings settings;
    settings.pii_config_json =
        R"({"rules":{"word":{"type":"pattern","pattern":"secret[0-9]*","redaction":{"method":"mask"}}},"applications":{)"
        R"("$minidump.stack_memory":["word","@email:replace"],"$heap_memory":["@ip:hash"],"$string":["@userpath:mask"],)"
        R"("$minidump.*":["@anything:replace"]}})";
    return *Scrubber::make(settings);
  }();
  return made;
}

void check_facts(std::string_view dump) {
  if (!relay::is_minidump(dump)) return;
  const auto facts = relay::read_minidump_facts(dump);
  check(facts.reason.size() < 64 && facts.system.size() < 64 && facts.system_version.size() < 64, "facts are words");
}

void check_parts(std::string_view dump) {
  std::size_t bytes = 0;
  for (const auto& part : find_dump_parts(dump)) {
    check(part.begin < part.end && part.end <= dump.size(), "a part lies within the dump");
    bytes += part.end - part.begin;
  }
  check(bytes <= 4 * dump.size(), "the work is bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto dump = fuzz::as_text(bytes, size);
  check_facts(dump);
  if (!is_minidump(dump)) return 0;
  check_parts(dump);
  relay::Item item;
  item.type = "attachment";
  item.header = R"({"filename":"crash.dmp","attachment_type":"event.minidump"})";
  item.payload = dump;
  const auto scrubbed = scrubber().scrub(item);
  if (scrubbed) check(scrubbed->size() == dump.size(), "a dump keeps its length");
  return 0;
}

}  // namespace picket::scrub
