// CRC-32C (Castagnoli), with the processor's instruction where it has one.
#pragma once

#include <cstdint>
#include <string_view>

namespace picket::buffer {

// The checksum of `bytes` behind what `before` is the checksum of.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// The same by table: what crc32c() does on processors without SSE 4.2.
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace picket::buffer
