// A minidump and an Unreal archive, byte by byte as their formats say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::testing {

inline std::string little(std::uint64_t number, unsigned bytes) {
  std::string text;
  for (unsigned i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i) & 0xff);
  return text;
}

// A program on 64-bit Linux that died of `signal` at `time`; filled up to `bytes`.
inline std::string make_minidump(std::uint32_t signal = 11, std::uint32_t time = 1'700'000'000, std::size_t bytes = 0) {
  constexpr std::uint32_t directory = 32;
  constexpr std::uint32_t system_info = directory + 2 * 12;
  constexpr std::uint32_t exception = system_info + 56;
  std::string dump = "MDMP" + little(0xa793, 4) + little(2, 4) + little(directory, 4) + little(0, 4) +
                     little(time, 4) + little(0, 8);
  dump += little(7, 4) + little(56, 4) + little(system_info, 4);
  dump += little(6, 4) + little(168, 4) + little(exception, 4);
  // architecture, level, revision, processors, product; version 6.1.90; platform Linux
  dump += little(9, 2) + little(0, 4) + little(1, 1) + little(0, 1) + little(6, 4) + little(1, 4) + little(90, 4) +
          little(0x8201, 4) + std::string(32, '\0');
  dump += little(4242, 4) + little(0, 4) + little(signal, 4) + std::string(156, '\0');
  if (dump.size() < bytes) dump.resize(bytes, 'm');
  return dump;
}

using UnrealFiles = std::vector<std::pair<std::string, std::string>>;

inline std::string unreal_text(std::string_view text) {
  return little(text.size() + 1, 4) + std::string(text) + '\0';
}

inline std::string make_unreal_archive(const UnrealFiles& files, bool marked) {
  const auto header = [&](std::size_t count) {
    return unreal_text("UE4CC-Windows") + unreal_text("crash.uecrash") + little(0, 4) + little(count, 4);
  };
  std::string archive = marked ? "CR1" + header(files.size()) : header(0);
  std::uint32_t index = 0;
  for (const auto& [name, contents] : files) {
    archive += little(index++, 4) + unreal_text(name) + little(contents.size(), 4) + contents;
  }
  return marked ? archive : archive + header(files.size());
}

}  // namespace picket::testing
