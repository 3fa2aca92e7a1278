#include "relay/protocol/content_brotli.h"

#include <brotli/encode.h>

#include <algorithm>
#include <cstdint>
#include <new>

namespace picket::relay {

std::string encode_brotli(std::string_view bytes, int level) {
  std::string out(BrotliEncoderMaxCompressedSize(bytes.size()), '\0');
  auto size = out.size();
  const auto packed = BrotliEncoderCompress(std::clamp(level, BROTLI_MIN_QUALITY, BROTLI_MAX_QUALITY), BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT,
                                            bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()), &size,
                                            reinterpret_cast<std::uint8_t*>(out.data()));
  if (packed != BROTLI_TRUE) throw std::bad_alloc();  // the only failure left with room for the bound
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

}  // namespace picket::relay
