#include "relay/protocol/envelope_batch.h"

#include "relay/protocol/content_encoding.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace picket::relay {
namespace {

constexpr std::string_view magic = "picket-batch/1\n";

std::string u32(std::size_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>((value >> shift) & 0xff);
  return bytes;
}

std::string frame(std::string_view head, std::string_view body) {
  return u32(head.size()) + u32(body.size()) + std::string(head) + std::string(body);
}

std::string packed(const std::string& frames) {
  return encode_zstd(std::string(magic) + frames, 1);
}

struct ReadBack {
  std::vector<std::string> bodies;
  std::optional<Error> failure;
};
ReadBack read_all(std::string_view bytes, const BatchLimits& limits = batch_limits) {
  EnvelopeBatchReader reader(bytes, limits);
  ReadBack back;
  for (;;) {
    const auto next = reader.next();
    if (!next) {
      back.failure = next.error();
      return back;
    }
    if (!*next) return back;
    back.bodies.emplace_back((*next)->body);
  }
}

std::string random_bytes(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

TEST(EnvelopeBatch, ReadsBackWhatWasWritten) {
  EnvelopeBatchWriter writer;
  for (int round = 0; round < 2; ++round) {
    writer.begin(1);
    writer.add(1, std::vector<std::string>{"X-Sentry-Auth: Sentry sentry_key=abc", "User-Agent: sdk/1"}, "one");
    writer.add(18446744073709551615U, {}, "");
    writer.add(3, std::vector<std::string>{"Origin: "}, random_bytes(300'000));
    EXPECT_EQ(writer.envelopes(), 3U);
    const auto most = writer.most_packed_bytes();
    const auto bytes = writer.end();
    EXPECT_LE(bytes.size(), most);

    EnvelopeBatchReader reader(bytes);
    auto next = reader.next();
    ASSERT_TRUE(next && *next);
    EXPECT_EQ((*next)->project, "1");
    EXPECT_EQ((*next)->body, "one");
    ASSERT_EQ((*next)->headers.size(), 2U);
    EXPECT_EQ((*next)->headers[0].first, "X-Sentry-Auth");
    EXPECT_EQ((*next)->headers[0].second, "Sentry sentry_key=abc");
    next = reader.next();
    ASSERT_TRUE(next && *next);
    EXPECT_EQ((*next)->project, "18446744073709551615");
    EXPECT_EQ((*next)->body, "");
    next = reader.next();
    ASSERT_TRUE(next && *next);
    EXPECT_EQ((*next)->headers[0].second, "");
    EXPECT_TRUE((*next)->body == random_bytes(300'000));
    next = reader.next();
    ASSERT_TRUE(next);
    EXPECT_FALSE(*next);
  }
}

TEST(EnvelopeBatch, IsEmptyWithoutFrames) {
  const auto back = read_all(packed(""));
  EXPECT_FALSE(back.failure);
  EXPECT_TRUE(back.bodies.empty());
}

TEST(EnvelopeBatch, EndsWhereItIsCutShort) {
  const auto whole = packed(frame("1\nA: b\n", "one") + frame("2\n", "two"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto back = read_all(std::string_view(whole).substr(0, size));
    ASSERT_TRUE(back.failure) << size;
    EXPECT_EQ(back.failure->fault, Fault::malformed) << size;
  }
  EXPECT_EQ(read_all(whole).bodies.size(), 2U);
}

TEST(EnvelopeBatch, EndsWhereAFrameIsCutShortInWhatIsWhole) {
  const auto second = frame("2\n", "two");
  for (std::size_t size = 1; size < second.size(); ++size) {
    const auto back = read_all(packed(frame("1\n", "one") + second.substr(0, size)));
    ASSERT_TRUE(back.failure) << size;
    EXPECT_EQ(back.bodies, std::vector<std::string>{"one"}) << size;
  }
}

TEST(EnvelopeBatch, BelievesNoLength) {
  for (const auto& lengths : {u32(0xffffffff) + u32(0), u32(2) + u32(0xffffffff), u32(batch_limits.head_bytes + 1) + u32(0),
                              u32(2) + u32(batch_limits.body_bytes + 1)}) {
    const auto back = read_all(packed(lengths + "1\n"));
    ASSERT_TRUE(back.failure);
    EXPECT_EQ(back.failure->fault, Fault::too_large);
  }
}

TEST(EnvelopeBatch, RefusesWhatIsOfNoKnownVersion) {
  for (const auto& text : {std::string(), std::string("picket-batch/2\n"), std::string("{}\n"), std::string("picket-batch/1")}) {
    const auto back = read_all(encode_zstd(text, 1));
    ASSERT_TRUE(back.failure) << text;
    EXPECT_EQ(back.failure->fault, Fault::malformed) << text;
  }
}

TEST(EnvelopeBatch, RefusesHeadsThatCouldForgeOthers) {
  for (const std::string_view head :
       {"", "1", "x\n", "-1\n", "1 \n", "../1\n", "123456789012345678901\n", "1\nA\n", "1\nA:b\n", "1\n: b\n", "1\nA b: c\n", "1\nA: b",
        "1\nA: b\r\n", "1\nA: \x01\n", "1\nA: b\x7f\n", "1\n\n"}) {
    const auto back = read_all(packed(frame(head, "{}")));
    ASSERT_TRUE(back.failure) << head;
    EXPECT_EQ(back.failure->fault, Fault::malformed) << head;
  }
}

TEST(EnvelopeBatch, BoundsWhatItUnpacks) {
  BatchLimits limits;
  limits.bytes = 1'000;
  limits.envelopes = 3;
  limits.headers = 1;
  EXPECT_EQ(read_all(packed(frame("1\n", std::string(2'000, 'a'))), limits).failure->fault, Fault::too_large);
  const auto many = read_all(packed(frame("1\n", "") + frame("1\n", "") + frame("1\n", "") + frame("1\n", "")), limits);
  ASSERT_TRUE(many.failure);
  EXPECT_EQ(many.bodies.size(), 3U);
  EXPECT_EQ(read_all(packed(frame("1\nA: b\nC: d\n", "")), limits).failure->fault, Fault::too_large);
}

TEST(EnvelopeBatch, RefusesAWindowThatTakesTooMuchMemory) {
  // Large enough, and of no size that is known beforehand, the window is the level's.
  ZstdPieceWriter writer(22);
  std::string bytes;
  writer.begin(1);
  writer.add(std::string(magic) + frame("1\n", "one"), bytes);
  writer.end(bytes);
  const auto back = read_all(bytes);
  ASSERT_TRUE(back.failure);
  EXPECT_TRUE(back.bodies.empty());
}

TEST(EnvelopeBatch, RefusesBytesBehindItsEnd) {
  const auto back = read_all(packed(frame("1\n", "one")) + "more");
  ASSERT_TRUE(back.failure);
  EXPECT_EQ(back.failure->fault, Fault::malformed);
}

TEST(EnvelopeBatch, TellsWhatStillFits) {
  EnvelopeBatchWriter writer;
  writer.begin(1);
  EXPECT_FALSE(writer.fits({}, std::string(batch_limits.body_bytes + 1, 'a')));
  EXPECT_FALSE(writer.fits(std::vector<std::string>{std::string(batch_limits.head_bytes, 'a')}, "{}"));
  EXPECT_FALSE(writer.fits(std::vector<std::string>(batch_limits.headers + 1, "A: b"), "{}"));
  std::size_t added = 0;
  for (const auto body = random_bytes(100'000); writer.fits({}, body); ++added) writer.add(1, {}, body);
  EXPECT_GE(added, 8U);
  const auto bytes = writer.end();
  EXPECT_LE(bytes.size(), batch_limits.packed_bytes);
  EXPECT_EQ(read_all(bytes).bodies.size(), added);

  writer.begin(1);
  added = 0;
  for (const std::string body(100, 'a'); writer.fits({}, body); ++added) writer.add(1, {}, body);
  EXPECT_EQ(added, batch_limits.envelopes);
  EXPECT_EQ(read_all(writer.end()).bodies.size(), added);

  writer.begin(1);
  added = 0;
  for (const std::string body(100'000, 'a'); writer.fits({}, body); ++added) writer.add(1, {}, body);
  const auto back = read_all(writer.end());
  EXPECT_FALSE(back.failure);
  EXPECT_EQ(back.bodies.size(), added);
}

TEST(BatchLine, ReadsBackWhatWasWritten) {
  const auto text = render_batch_line({200, "", "", R"({"id":"9ec79c33ec9942ab8353589fcb2e04dc"})"}) +
                    render_batch_line({429, "60", "60:error:key", "{\"detail\":\"a\tb\nc\"}"}) + render_batch_line({503, "", "", ""});
  const auto lines = parse_batch_lines(text, 10);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].status, 200U);
  EXPECT_EQ(lines[0].body, R"({"id":"9ec79c33ec9942ab8353589fcb2e04dc"})");
  EXPECT_EQ(lines[1].status, 429U);
  EXPECT_EQ(lines[1].retry_after, "60");
  EXPECT_EQ(lines[1].rate_limits, "60:error:key");
  EXPECT_EQ(lines[1].body, "{\"detail\":\"a b c\"}");
  EXPECT_EQ(lines[2].status, 503U);
}

TEST(BatchLine, CountsOnlyWholeLines) {
  const auto line = render_batch_line({200, "", "", "{}"});
  const auto text = line + line;
  for (std::size_t size = 0; size <= text.size(); ++size)
    EXPECT_EQ(parse_batch_lines(std::string_view(text).substr(0, size), 10).size(), size / line.size()) << size;
  EXPECT_EQ(parse_batch_lines(text, 1).size(), 1U);
}

TEST(BatchLine, EndsAtWhatIsNone) {
  for (const std::string_view text : {"\n", "200\n", "200\t\t\n", "abc\t\t\t\n", "20\t\t\t\n", "2000\t\t\t\n", "-20\t\t\t\n", "099\t\t\t\n", "<html>\n"}) {
    EXPECT_TRUE(parse_batch_lines(text, 10).empty()) << text;
    EXPECT_EQ(parse_batch_lines("200\t\t\t{}\n" + std::string(text) + "200\t\t\t{}\n", 10).size(), 1U) << text;
  }
}

}  // namespace
}  // namespace picket::relay
