#include "relay/protocol/content_stream.h"

#include "support/temp_dir.h"

#include <brotli/encode.h>
#include <bzlib.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <random>
#include <string>

namespace picket::relay {
namespace {

constexpr std::size_t plenty = std::size_t{64} << 20;

struct Fixture {
  Fixture() {
    auto opened = buffer::Spool::open({.folder = dir.path() / "spool", .above_bytes = 4096});
    EXPECT_TRUE(opened);
    room.spool = *opened;
  }
  picket::testing::TempDir dir;
  Room room;
};

std::string sample(std::size_t bytes, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < bytes) text += "frame " + std::to_string(random() % 100'000) + "\n";
  text.resize(bytes);
  return text;
}

std::string zlib_of(const std::string& text) {
  auto size = compressBound(text.size());
  std::string out(size, '\0');
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size()), Z_OK);
  out.resize(size);
  return out;
}

std::string brotli_of(const std::string& text) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, '\0');
  EXPECT_EQ(BrotliEncoderCompress(3, 22, BROTLI_MODE_GENERIC, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                  reinterpret_cast<std::uint8_t*>(out.data())), BROTLI_TRUE);
  out.resize(size);
  return out;
}

std::string encoded(const std::string& text, Coding coding) {
  switch (coding) {
    case Coding::gzip: return encode_gzip(text, 1);
    case Coding::zstd: return encode_zstd(text, 1);
    case Coding::deflate: return zlib_of(text);
    case Coding::br: return brotli_of(text);
    case Coding::identity: break;
  }
  return text;
}

std::string xz_of(const std::string& text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                    reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size()), LZMA_OK);
  out.resize(size);
  return out;
}

std::string bzip2_of(std::string text) {
  auto size = static_cast<unsigned>(text.size() + text.size() / 50 + 1000);
  std::string out(size, '\0');
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, text.data(), static_cast<unsigned>(text.size()), 1, 0, 0), BZ_OK);
  out.resize(size);
  return out;
}

constexpr std::array codings = {Coding::gzip, Coding::deflate, Coding::br, Coding::zstd, Coding::identity};

TEST(DecodeBytes, GivesLargeBodiesInAFileAndSmallOnesInMemory) {
  const Fixture fixture;
  for (const auto coding : codings) {
    for (const std::size_t size : {0UL, 10UL, 4096UL, 4097UL, 3'000'000UL}) {
      const auto text = sample(size);
      const auto decoded = decode_bytes(encoded(text, coding), coding, plenty, fixture.room);
      ASSERT_TRUE(decoded) << static_cast<int>(coding) << " " << size << " " << decoded.error().detail;
      EXPECT_TRUE(*decoded == text) << static_cast<int>(coding) << " " << size;
      EXPECT_EQ(decoded->in_file(), size > 4096) << static_cast<int>(coding) << " " << size;
    }
  }
}

TEST(DecodeBytes, KeepsToTheLimitToTheByte) {
  const Fixture fixture;
  const auto text = sample(1'000'000);
  for (const auto coding : codings) {
    const auto body = encoded(text, coding);
    EXPECT_TRUE(decode_bytes(body, coding, text.size(), fixture.room)) << static_cast<int>(coding);
    const auto refused = decode_bytes(body, coding, text.size() - 1, fixture.room);
    ASSERT_FALSE(refused) << static_cast<int>(coding);
    EXPECT_EQ(refused.error().fault, Fault::too_large);
  }
}

TEST(DecodeBytes, RefusesWhatIsCutShortOrGoesOn) {
  const Fixture fixture;
  const auto text = sample(1'000'000);
  for (const auto coding : {Coding::gzip, Coding::deflate, Coding::br, Coding::zstd}) {
    const auto body = encoded(text, coding);
    for (const auto& wrong : {body.substr(0, body.size() - 1), body.substr(0, body.size() / 2), body + "more"}) {
      const auto refused = decode_bytes(wrong, coding, plenty, fixture.room);
      ASSERT_FALSE(refused) << static_cast<int>(coding) << " " << wrong.size();
      EXPECT_EQ(refused.error().fault, Fault::malformed);
    }
  }
}

TEST(DecodeBytes, ReadsGzipOfSeveralMembersAndChains) {
  const Fixture fixture;
  const auto text = sample(500'000);
  const auto half = text.size() / 2;
  const auto members = encode_gzip(text.substr(0, half), 1) + encode_gzip(text.substr(half), 1) + std::string(20, '\0');
  const auto decoded = decode_bytes(members, Coding::gzip, plenty, fixture.room);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(*decoded == text);
  const auto chained = decode_bytes(encode_zstd(encode_gzip(text, 1), 1), {Coding::gzip, Coding::zstd}, plenty, fixture.room);
  ASSERT_TRUE(chained);
  EXPECT_TRUE(*chained == text);
}

TEST(DecodeBytes, SaysWhenThereIsNoRoom) {
  const picket::testing::TempDir dir;
  auto spool = buffer::Spool::open({.folder = dir.path() / "spool", .max_bytes = 1, .above_bytes = 10});
  ASSERT_TRUE(spool);
  const auto refused = decode_bytes(encode_gzip(sample(100'000), 1), Coding::gzip, plenty, {*spool, nullptr});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::unavailable);
}

TEST(EncodeBytes, JoinsPiecesInOneCoding) {
  const Fixture fixture;
  const auto text = sample(2'000'000);
  const std::array<std::string_view, 3> pieces = {"head\n", text, ""};
  for (const auto coding : {Coding::identity, Coding::gzip, Coding::zstd}) {
    const auto packed = encode_bytes(pieces, coding, 3, fixture.room);
    ASSERT_TRUE(packed);
    EXPECT_TRUE(packed->in_file());
    const auto decoded = decode_bytes(*packed, coding, plenty, fixture.room);
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(*decoded == "head\n" + text);
  }
}

TEST(UnpackFile, ReadsEveryFormatAndLeavesOthersAlone) {
  const Fixture fixture;
  const auto text = sample(700'000);
  for (const auto& file : {encode_gzip(text, 1), encode_zstd(text, 1), xz_of(text), bzip2_of(text), bzip2_of(text.substr(0, 1000)) + bzip2_of(text.substr(1000))}) {
    EXPECT_TRUE(is_packed_file(file));
    const auto unpacked = unpack_file(file, plenty, fixture.room);
    ASSERT_TRUE(unpacked) << unpacked.error().detail;
    EXPECT_TRUE(*unpacked == text);
    EXPECT_EQ(unpack_file(file, text.size() - 1, fixture.room).error().fault, Fault::too_large);
    EXPECT_EQ(unpack_file(file.substr(0, file.size() - 9), plenty, fixture.room).error().fault, Fault::malformed);
  }
  for (const std::string plain : {"", "MDMP", "\x1f", "BZ"}) {
    EXPECT_FALSE(is_packed_file(plain));
  }
}

}  // namespace
}  // namespace picket::relay
