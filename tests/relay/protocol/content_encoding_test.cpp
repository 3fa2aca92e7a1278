#include "relay/protocol/content_encoding.h"

#include <brotli/encode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <thread>

namespace picket::relay {
namespace {

constexpr Coding every_coding[] = {Coding::gzip, Coding::deflate, Coding::br, Coding::zstd};
constexpr std::size_t plenty = std::size_t{64} << 20;

std::string zlib_deflated(std::string_view text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string brotli_encoded(std::string_view text) {
  auto size = BrotliEncoderMaxCompressedSize(text.size()) + 64;
  std::string out(size, '\0');
  EXPECT_EQ(BrotliEncoderCompress(5, BROTLI_MAX_WINDOW_BITS, BROTLI_MODE_GENERIC, text.size(),
                                  reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                  reinterpret_cast<std::uint8_t*>(out.data())),
            BROTLI_TRUE);
  out.resize(size);
  return out;
}

std::string encoded(std::string_view text, Coding coding) {
  switch (coding) {
    case Coding::identity: return std::string(text);
    case Coding::gzip: return zlib_deflated(text, 15 + 16);
    case Coding::deflate: return zlib_deflated(text, 15);
    case Coding::br: return brotli_encoded(text);
    case Coding::zstd: return encode_zstd(text, 1);
  }
  std::abort();
}

std::string event_like(std::size_t bytes) {
  std::string text;
  std::mt19937 random(7);
  while (text.size() < bytes)
    text += "{\"function\":\"f" + std::to_string(random()) + "\",\"in_app\":true},";
  text.resize(bytes);
  return text;
}

std::string random_bytes(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  std::generate(text.begin(), text.end(), [&random] { return static_cast<char>(random()); });
  return text;
}

Fault fault_of(std::string_view bytes, Coding coding, std::size_t max_bytes = plenty) {
  const auto decoded = decode(bytes, coding, max_bytes);
  EXPECT_FALSE(decoded);
  return decoded ? Fault::unavailable : decoded.error().fault;
}

TEST(ParseContentEncoding, ReadsChainsInTheOrderTheyWereApplied) {
  EXPECT_EQ(*parse_content_encoding("gzip"), std::vector{Coding::gzip});
  EXPECT_EQ(*parse_content_encoding(" GZIP ,Br"), (std::vector{Coding::gzip, Coding::br}));
  EXPECT_EQ(*parse_content_encoding("x-gzip,deflate,zstd"),
            (std::vector{Coding::gzip, Coding::deflate, Coding::zstd}));
}

TEST(ParseContentEncoding, TakesEmptyAndIdentityForNone) {
  for (const std::string header : {"", " ", ",", "identity", "utf-8", "UTF-8, identity,,"}) {
    const auto codings = parse_content_encoding(header);
    ASSERT_TRUE(codings) << header;
    EXPECT_TRUE(codings->empty());
  }
}

TEST(ParseContentEncoding, RefusesUnknownWordsAndLongChains) {
  for (const std::string header :
       {"compress", "gzip;q=1", "gz ip", "gzip, lzma", "*", "gzip,gzip,gzip,gzip,gzip"}) {
    const auto codings = parse_content_encoding(header);
    ASSERT_FALSE(codings) << header;
    EXPECT_EQ(codings.error().fault, Fault::malformed);
  }
}

TEST(Decode, RestoresBodiesOfEverySize) {
  for (const auto coding : every_coding) {
    for (const std::size_t size :
         {0U, 1U, 10U, 1000U, 4095U, 4096U, 4097U, 20'000U, 300'000U, 3'000'000U}) {
      const auto text = event_like(size);
      const auto decoded = decode(encoded(text, coding), coding, plenty);
      ASSERT_TRUE(decoded) << decoded.error().detail;
      EXPECT_TRUE(*decoded == text) << static_cast<int>(coding) << ' ' << size;
    }
  }
}

TEST(Decode, RestoresWhatCompressesVeryWellAndNotAtAll) {
  for (const auto coding : every_coding) {
    for (const auto& text : {std::string(5'000'000, 'a'), random_bytes(200'000, 1)}) {
      const auto decoded = decode(encoded(text, coding), coding, plenty);
      ASSERT_TRUE(decoded) << decoded.error().detail;
      EXPECT_TRUE(*decoded == text);
    }
  }
}

TEST(Decode, AllowsExactlyTheLimit) {
  for (const auto coding :
       {Coding::identity, Coding::gzip, Coding::deflate, Coding::br, Coding::zstd}) {
    for (const auto& text : {event_like(10'000), std::string(100'000, 'a')}) {
      const auto body = encoded(text, coding);
      EXPECT_TRUE(decode(body, coding, text.size()));
      EXPECT_EQ(fault_of(body, coding, text.size() - 1), Fault::too_large);
      EXPECT_EQ(fault_of(body, coding, 0), Fault::too_large);
    }
    EXPECT_TRUE(decode(encoded("", coding), coding, 0));
  }
}

TEST(Decode, StopsABombAtTheLimit) {
  const std::string zeros(std::size_t{32} << 20, '\0');
  for (const auto coding : every_coding) {
    const auto bomb = encoded(zeros, coding);
    EXPECT_LT(bomb.size(), std::size_t{1} << 20);
    EXPECT_EQ(fault_of(bomb, coding, std::size_t{1} << 20), Fault::too_large);
  }
}

TEST(Decode, StopsABombInsideABomb) {
  const std::string zeros(std::size_t{64} << 20, '\0');
  auto bomb = encoded(zeros, Coding::gzip);
  bomb = encoded(bomb, Coding::gzip);
  const auto decoded = decode(bomb, {Coding::gzip, Coding::gzip}, std::size_t{1} << 20);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().fault, Fault::too_large);
}

TEST(Decode, UndoesAChainFromItsEnd) {
  const auto text = event_like(10'000);
  for (const auto first : every_coding) {
    for (const auto second : every_coding) {
      const auto decoded = decode(encoded(encoded(text, first), second), {first, second}, plenty);
      ASSERT_TRUE(decoded) << decoded.error().detail;
      EXPECT_TRUE(*decoded == text);
    }
  }
  EXPECT_EQ(*decode("as is", std::vector<Coding>{}, 5), "as is");
  EXPECT_FALSE(decode("as is", std::vector<Coding>{}, 4));
}

TEST(Decode, RefusesABodyTruncatedAtAnyByte) {
  const auto text = event_like(300);
  for (const auto coding : every_coding) {
    const auto body = encoded(text, coding);
    for (std::size_t size = 0; size < body.size(); ++size) {
      const auto cut =
          std::make_unique<char[]>(size);  // exact, so that ASan sees one byte too many
      std::copy_n(body.data(), size, cut.get());
      EXPECT_EQ(fault_of({cut.get(), size}, coding), Fault::malformed)
          << static_cast<int>(coding) << ' ' << size;
    }
  }
}

TEST(Decode, NamesATruncationAsSuch) {
  const auto text = event_like(3000);
  for (const auto coding : every_coding) {
    const auto body = encoded(text, coding);
    const auto decoded = decode(std::string_view(body).substr(0, body.size() / 2), coding, plenty);
    ASSERT_FALSE(decoded);
    EXPECT_NE(decoded.error().detail.find("unexpected end of file"), std::string::npos)
        << decoded.error().detail;
  }
}

TEST(Decode, RefusesBytesAfterTheEnd) {
  for (const auto coding : every_coding) {
    EXPECT_EQ(fault_of(encoded("body", coding) + "more", coding), Fault::malformed);
  }
}

TEST(Decode, NeverCrashesOnDamage) {
  const auto text = event_like(2000);
  for (const auto coding : every_coding) {
    const auto body = encoded(text, coding);
    for (std::size_t at = 0; at < body.size(); ++at) {
      auto damaged = body;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      const auto decoded = decode(damaged, coding, 10'000);
      if (decoded) {
        EXPECT_LE(decoded->size(), 10'000U);
      }
    }
  }
}

TEST(Decode, RefusesRandomBytes) {
  for (const auto coding : every_coding) {
    for (unsigned seed = 0; seed < 200; ++seed) {
      const auto decoded = decode(random_bytes(seed * 3, seed), coding, 100'000);
      if (decoded) {
        EXPECT_LE(decoded->size(), 100'000U);
      }
    }
  }
  EXPECT_EQ(fault_of("{\"plain\":\"json\"}", Coding::gzip), Fault::malformed);
  EXPECT_EQ(fault_of("{\"plain\":\"json\"}", Coding::deflate), Fault::malformed);
  EXPECT_EQ(fault_of("{\"plain\":\"json\"}", Coding::zstd), Fault::malformed);
}

TEST(Decode, ChecksTheChecksumOfGzip) {
  auto body = encoded(event_like(1000), Coding::gzip);
  body[body.size() - 6] = static_cast<char>(body[body.size() - 6] ^ 1);
  EXPECT_EQ(fault_of(body, Coding::gzip), Fault::malformed);
}

TEST(Decode, JoinsConcatenatedGzipMembers) {
  const auto one = event_like(5'000);
  const auto other = event_like(70);
  for (const auto& body :
       {encoded(one, Coding::gzip) + encoded(other, Coding::gzip),
        encode_gzip(one, 6) + encoded("", Coding::gzip) + encode_gzip(other, 1)}) {
    const auto decoded = decode(body, Coding::gzip, plenty);
    ASSERT_TRUE(decoded) << decoded.error().detail;
    EXPECT_TRUE(*decoded == one + other);
    EXPECT_TRUE(decode(body, Coding::gzip, one.size() + other.size()));
    EXPECT_EQ(fault_of(body, Coding::gzip, one.size() + other.size() - 1), Fault::too_large);
  }
}

TEST(Decode, RefusesATruncatedSecondGzipMember) {
  const auto first = encoded("first", Coding::gzip);
  const auto body = first + encoded("second", Coding::gzip);
  for (auto size = first.size() + 1; size < body.size(); ++size) {
    EXPECT_EQ(fault_of(std::string_view(body).substr(0, size), Coding::gzip), Fault::malformed)
        << size;
  }
}

TEST(Decode, AcceptsZeroPaddingAfterGzip) {
  EXPECT_EQ(*decode(encoded("body", Coding::gzip) + std::string(100, '\0'), Coding::gzip, plenty),
            "body");
}

TEST(Decode, ReadsGzipHeadersWithNameAndExtraField) {
  auto body = encoded("named", Coding::gzip);
  body[3] = 0x08 | 0x04 | 0x10;  // FNAME, FEXTRA, FCOMMENT
  body.insert(10, std::string("\x02\x00zzname.txt\0comment\0", 21));
  EXPECT_EQ(*decode(body, Coding::gzip, plenty), "named");
}

TEST(Decode, DoesNotBelieveTheSizeThatGzipClaims) {
  auto body = encoded(event_like(10'000), Coding::gzip);
  for (const char digit : {'\x00', '\x01', '\x7f', '\xff'}) {
    std::fill(body.end() - 4, body.end(), digit);
    EXPECT_EQ(fault_of(body, Coding::gzip), Fault::malformed);
  }
}

TEST(Decode, RefusesRawDeflateWhereZlibIsMeant) {
  EXPECT_EQ(fault_of(zlib_deflated(event_like(1000), -15), Coding::deflate), Fault::malformed);
}

TEST(Decode, JoinsConcatenatedZstdFrames) {
  const auto one = event_like(100'000);
  const auto body = encode_zstd(one, 3) + encode_zstd("tail", 1) +
                    std::string("\x50\x2a\x4d\x18\x02\x00\x00\x00zz", 10);
  const auto decoded = decode(body, Coding::zstd, plenty);
  ASSERT_TRUE(decoded) << decoded.error().detail;
  EXPECT_TRUE(*decoded == one + "tail");
}

std::string zstd_streamed(std::string_view text, int window_log) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(text.size()) + 1000, '\0');
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  // Without an end directive at the first call, the frame does not name its size.
  ZSTD_inBuffer input{text.data(), text.size(), 0};
  ZSTD_compressStream2(context.get(), &output, &input, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(context.get(), &output, &input, ZSTD_e_end), 0U);
  out.resize(output.pos);
  return out;
}

TEST(Decode, ReadsZstdFramesThatDoNotNameTheirSize) {
  const auto text = event_like(2'000'000);
  const auto decoded = decode(zstd_streamed(text, 20), Coding::zstd, plenty);
  ASSERT_TRUE(decoded) << decoded.error().detail;
  EXPECT_TRUE(*decoded == text);
}

TEST(Decode, RefusesAZstdFrameThatDemandsALargeWindow) {
  EXPECT_EQ(fault_of(zstd_streamed("small", 27), Coding::zstd), Fault::malformed);
  EXPECT_TRUE(decode(zstd_streamed("small", 23), Coding::zstd, plenty));
}

TEST(Decode, GoesOnAfterAFailureInTheSameThread) {
  const auto text = event_like(10'000);
  for (const auto coding : every_coding) {
    const auto body = encoded(text, coding);
    EXPECT_FALSE(decode(std::string_view(body).substr(0, body.size() / 2), coding, plenty));
    EXPECT_FALSE(decode(body, coding, 100));
    EXPECT_TRUE(*decode(body, coding, plenty) == text);
  }
}

TEST(Decode, RunsInSeveralThreadsAtOnce) {
  const auto text = event_like(50'000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&text] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_TRUE(*decode(encode_gzip(text, 6), Coding::gzip, plenty) == text);
        EXPECT_TRUE(*decode(encode_zstd(text, 1), Coding::zstd, plenty) == text);
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
}

TEST(Encode, IsReadBackAtEveryLevel) {
  for (const auto& text : {std::string(), event_like(20'000), random_bytes(5'000, 3)}) {
    for (const int level : {-5, 0, 1, 6, 12, 19, 99}) {
      EXPECT_TRUE(*decode(encode_gzip(text, level), Coding::gzip, plenty) == text);
      EXPECT_TRUE(*decode(encode_zstd(text, level), Coding::zstd, plenty) == text);
    }
  }
}

TEST(Encode, HoldsNoMoreMemoryThanItsResultNeeds) {
  const auto text = event_like(100'000);
  for (const auto& body : {encode_gzip(text, 6), encode_zstd(text, 1)}) {
    EXPECT_LT(body.size(), text.size() / 2);
    EXPECT_LE(body.capacity(), 2 * body.size() + 64);
  }
}

TEST(Encode, GoesOnAfterItsMemoryWasFreed) {
  const std::string text(20'000, 'x');
  free_zstd_encoder();  // also when there is none
  const auto before = encode_zstd(text, 1);
  free_zstd_encoder();
  free_zstd_encoder();
  EXPECT_EQ(encode_zstd(text, 1), before);
}

}  // namespace
}  // namespace picket::relay
