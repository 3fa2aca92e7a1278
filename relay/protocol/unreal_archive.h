// What Unreal Engine's crash reporter uploads, inflated: a few files behind one another. Numbers are
// little-endian; text is a u32 of bytes and the bytes, filled up with NULs.
//
//   archive  [ "CR1" ] header file*          with the marker; else: header file* header, of which
//                                            only the last one's counts are right
//   header   directory text, file name text, uncompressed size i32, files i32
//   file     index i32, name text, bytes i32, contents
//
// And the leaves of its CrashContext.runtime-xml.
//
// THREADS  Every function from any thread.
#pragma once

#include "buffer/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::relay {

enum class UnrealFileKind { minidump, apple_crash_report, context, log, config, other };

struct UnrealFile {
  std::string name;
  std::string_view contents;
  UnrealFileKind kind = UnrealFileKind::other;
};

// Fault::malformed. REQUIRES: `bytes` outlives the files.
Result<std::vector<UnrealFile>> parse_unreal_archive(std::string_view bytes);

// Each element of an XML document that holds text only: its path below the root, joined by dots, and
// the text. Tolerant: ends where it is no longer understood. At most 1,000 leaves, names of 256 bytes.
std::vector<std::pair<std::string, std::string>> read_xml_leaves(std::string_view xml);

}  // namespace picket::relay
