// How much memory decoding takes. Replaces operator new for this binary, so that it can be counted.

#include "relay/protocol/content_encoding.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

// Signed: what one thread takes, another may give back.
thread_local std::ptrdiff_t live_bytes = 0;
thread_local std::ptrdiff_t peak_bytes = 0;

}  // namespace

// simdjson asks this way.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  void* const memory = std::malloc(bytes);  // NOLINT(cppcoreguidelines-no-malloc)
  if (memory == nullptr) return nullptr;
  live_bytes += static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
  peak_bytes = std::max(peak_bytes, live_bytes);
  return memory;
}

void* operator new(std::size_t bytes) {
  void* const memory = operator new(bytes, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  live_bytes -= static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
  std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc)
}

void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

namespace picket::relay {
namespace {

constexpr std::size_t megabyte = std::size_t{1} << 20;
constexpr std::size_t constant = std::size_t{64} << 10;

std::size_t peak_of_decoding(std::string_view body,
                             Coding coding,
                             std::size_t max_bytes,
                             bool decodes) {
  const auto before = live_bytes;
  peak_bytes = live_bytes;
  const auto decoded = decode(body, coding, max_bytes);
  EXPECT_EQ(static_cast<bool>(decoded), decodes);
  return static_cast<std::size_t>(peak_bytes - before);
}

TEST(DecodeMemory, StaysWithinTheLimitForABomb) {
  const std::string zeros(32 * megabyte, '\0');
  for (const auto max_bytes : {constant, megabyte, 5 * megabyte}) {
    EXPECT_LE(peak_of_decoding(encode_gzip(zeros, 9), Coding::gzip, max_bytes, false),
              max_bytes + constant);
    EXPECT_LE(peak_of_decoding(encode_zstd(zeros, 9), Coding::zstd, max_bytes, false),
              max_bytes + constant);
  }
}

TEST(DecodeMemory, StaysWithinTheLimitForABodyThatFits) {
  const std::string zeros(3 * megabyte, '\0');
  EXPECT_LE(peak_of_decoding(encode_gzip(zeros, 9), Coding::gzip, 4 * megabyte, true),
            4 * megabyte + constant);
  EXPECT_LE(peak_of_decoding(encode_zstd(zeros, 9), Coding::zstd, 4 * megabyte, true),
            4 * megabyte + constant);
}

TEST(DecodeMemory, IsLittleForALittleBodyThatClaimsMuch) {
  auto gzip = encode_gzip("little", 6);
  gzip.replace(gzip.size() - 4, 4, "\xff\xff\xff\x0f");
  EXPECT_LE(peak_of_decoding(gzip, Coding::gzip, 200 * megabyte, false), constant);
  // One frame header that claims 2^28 bytes, and nothing after it.
  const std::string zstd("\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x10", 9);
  EXPECT_LE(peak_of_decoding(zstd, Coding::zstd, 200 * megabyte, false), constant);
}

}  // namespace
}  // namespace picket::relay
