// Attachments: bytes in which what is sensitive is overwritten, so that their length stays.
//
// Only rules of the advanced configuration reach them, and only where a selector does: a file is
// `$attachments.'<file name>'`, its content $binary. A view hierarchy, which is JSON, is scrubbed as
// such before. Of a minidump it is its parts:
//
//   $minidump.stack_memory, $stack_memory   a thread's stack; only when it is named
//   $minidump.heap_memory, $heap_memory     other memory
//   $minidump.* ($binary)                   Linux' environment and command line
//   $minidump.code_file, .debug_file        paths of modules ($string); their last part stays
//
// https://learn.microsoft.com/windows/win32/api/minidumpapiset/ (layout of minidumps)
#pragma once

#include "relay/scrub/rule.h"

#include <optional>
#include <string>
#include <string_view>

namespace picket::scrub {

// The content without what the rules match; nothing when nothing matched.
std::optional<std::string> scrub_attachment(const RuleSet& rules,
                                            std::string_view file_name,
                                            std::string_view content);

// Where a minidump's parts are. Nothing but what lies within `dump`; parts do not overlap
// backwards.
struct DumpPart {
  enum class Kind : std::uint8_t { stack, heap, process, code_file, debug_file };
  Kind kind = Kind::heap;
  std::size_t begin = 0;
  std::size_t end = 0;
};
bool is_minidump(std::string_view bytes);
std::vector<DumpPart> find_dump_parts(std::string_view dump);

}  // namespace picket::scrub
