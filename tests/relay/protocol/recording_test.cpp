#include "relay/protocol/recording.h"

#include "relay/protocol/content_pieces.h"

#include <gtest/gtest.h>

#include <random>

namespace picket::relay {
namespace {

std::string deflated(std::string_view text, Coding coding = Coding::deflate, int level = 6) {
  std::string out;
  PieceDeflater deflater(coding, level);
  deflater.add(text, out);
  deflater.end(out);
  return out;
}

Result<std::string> inflated(std::string_view bytes, Coding coding = Coding::deflate) {
  PieceInflater inflater(bytes, coding);
  std::string out;
  for (;;) {
    const auto piece = inflater.next();
    if (!piece) return piece.error();
    if (piece->empty()) return out;
    out += *piece;
  }
}

std::string long_text(std::size_t bytes) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < bytes) text += "{\"n\":" + std::to_string(random() % 1000) + "},";
  return text;
}

TEST(ContentPieces, ComeBackAsTheyWere) {
  for (const auto coding : {Coding::deflate, Coding::gzip}) {
    for (const std::size_t bytes : {0U, 1U, 65'536U, 1'000'000U}) {
      const auto text = bytes == 0 ? std::string() : long_text(bytes);
      const auto packed = deflated(text, coding);
      EXPECT_EQ(*inflated(packed, coding), text);
      EXPECT_EQ(*decode(packed, coding, 2'000'000), text) << "any other reader can read it";
    }
  }
  const auto members = deflated("one ", Coding::gzip) + deflated("two", Coding::gzip) + std::string(8, '\0');
  EXPECT_EQ(*inflated(members, Coding::gzip), "one two");
}

TEST(ContentPieces, SayWhatIsWrong) {
  const auto packed = deflated(long_text(200'000));
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, packed.size() / 2, packed.size() - 1})
    EXPECT_EQ(inflated(packed.substr(0, cut)).error().fault, Fault::malformed) << cut;
  EXPECT_FALSE(inflated(packed + "x"));
  auto damaged = packed;
  damaged[damaged.size() / 2] = static_cast<char>(~damaged[damaged.size() / 2]);
  EXPECT_FALSE(inflated(damaged));
  EXPECT_FALSE(inflated("no zlib at all"));
}

TEST(Recording, IsAHeaderLineAndABodyInOneOfThreeCodings) {
  const std::string_view events = R"([{"type":4}])";
  for (const auto coding : {Coding::identity, Coding::gzip, Coding::deflate}) {
    const auto item = "{\"segment_id\":3}\n" + (coding == Coding::identity ? std::string(events) : deflated(events, coding));
    const auto parts = split_recording(item);
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->header, "{\"segment_id\":3}\n");
    EXPECT_EQ(parts->coding, coding);
    EXPECT_EQ(*recording_json(item, 100), events);
  }
  EXPECT_EQ(*recording_json("{}\n \n", 100), "[]");
  EXPECT_FALSE(split_recording("{\"segment_id\":3}"));
  EXPECT_EQ(recording_json("{}\n" + deflated(std::string(101, 'x')), 100).error().fault, Fault::too_large);
}

std::string video_of(std::string_view event, std::string_view recording) {
  return std::string("\x83\xac") + "replay_event" + "\xc4" + static_cast<char>(event.size()) + std::string(event) + "\xb0" +
         "replay_recording" + "\xd9" + static_cast<char>(recording.size()) + std::string(recording) + "\xac" +
         "replay_video" + "\xc5" + std::string("\0\x01", 2) + "v";
}

TEST(ReplayVideo, SplitsAMapOfBytesAndToleratesAnythingElse) {
  const auto good = video_of("{}", "abc");
  const auto video = split_replay_video(good);
  EXPECT_EQ(video.event, "{}");
  EXPECT_EQ(video.recording, "abc");
  EXPECT_EQ(video.video, "v");
  for (std::size_t i = 0; i < good.size(); ++i) (void)split_replay_video(good.substr(0, i));
  EXPECT_TRUE(split_replay_video("\xdf\xff\xff\xff\xff").event.empty());
}

TEST(ReplayVideo, IsRewrittenOnlyWhereSomethingChanges) {
  const auto before = video_of("{}", "abc") + "behind it";
  const auto with = [&](std::string_view which, std::string_view value) {
    return rewrite_replay_video(before, [&](std::string_view key, std::string_view) {
      return key == which ? std::optional<std::string>(value) : std::nullopt;
    });
  };
  EXPECT_FALSE(with("none", ""));
  EXPECT_EQ(*with("replay_event", "[]"), video_of("[]", "abc") + "behind it");
  EXPECT_EQ(*with("replay_recording", ""), video_of("{}", "") + "behind it");
  for (const std::size_t bytes : {255U, 256U, 65'535U, 65'536U}) {
    const std::string larger(bytes, 'e');
    for (const auto* part : {"replay_event", "replay_recording"}) {
      const auto after = with(part, larger);
      ASSERT_TRUE(after);
      const auto video = split_replay_video(*after);
      EXPECT_EQ(std::string_view(part) == "replay_event" ? video.event : video.recording, larger);
      EXPECT_EQ(video.video, "v");
    }
  }
}

}  // namespace
}  // namespace picket::relay
