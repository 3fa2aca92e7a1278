// Replay recordings: what the rules match goes, whatever they were deflated with, and nothing else
// changes.

#include "relay/scrub/recording.h"

#include "relay/protocol/content_pieces.h"
#include "relay/protocol/recording.h"
#include "relay/scrub/pii_config.h"
#include "relay/scrub/scrubbing.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace picket::scrub {
namespace {

using relay::Coding;

constexpr std::string_view header = "{\"segment_id\":0}\n";
constexpr std::string_view card = "4917-4845-8989-7107";

std::string packed(std::string_view text, Coding coding = Coding::deflate) {
  if (coding == Coding::identity) return std::string(text);
  std::string out;
  relay::PieceDeflater deflater(coding, 6);
  deflater.add(text, out);
  deflater.end(out);
  return out;
}

std::optional<std::string> scrub_item(std::string_view type, std::string_view payload, const Settings& settings = {}) {
  relay::Item item;
  item.type = type;
  item.payload = payload;
  return Scrubber::make(settings)->scrub(item);
}

// The events after scrubbing; as they were when nothing matched.
std::string events_after(std::string_view events, const Settings& settings = {}) {
  const auto item = std::string(header) + packed(events);
  const auto after = scrub_item("replay_recording", item, settings);
  if (!after) return std::string(events);
  EXPECT_TRUE(after->starts_with(header));
  EXPECT_FALSE(scrub_item("replay_recording", *after, settings)) << "a second time changes nothing";
  const auto text = relay::recording_json(*after, max_recording_bytes);
  EXPECT_TRUE(text && relay::is_json(*text));
  return text ? *text : std::string();
}

// One breadcrumb's or span's payload.
std::string payload_after(const std::string& payload, const Settings& settings = {}) {
  const std::string before = R"([{"type":5,"timestamp":1.5,"data":{"tag":"performanceSpan","payload":)";
  const auto after = events_after(before + payload + "}}]", settings);
  EXPECT_TRUE(after.starts_with(before) && after.ends_with("}}]")) << after;
  return after.substr(before.size(), after.size() - before.size() - 3);
}

TEST(Recording, TextsOfThePageAreScrubbed) {
  EXPECT_EQ(events_after(R"([{"type":3,"data":{"source":0,"texts":[{"id":1,"value":"4917-4845-8989-7107"}],"adds":[)"
                         R"({"parentId":7,"node":{"type":2,"tagName":"h1","attributes":{"title":"my password"},)"
                         R"("childNodes":[{"type":3,"textContent":"4917-4845-8989-7107","id":284}],"id":283}}]}}])"),
            R"([{"type":3,"data":{"source":0,"texts":[{"id":1,"value":"[Filtered]"}],"adds":[)"
            R"({"parentId":7,"node":{"type":2,"tagName":"h1","attributes":{"title":"[Filtered]"},)"
            R"("childNodes":[{"type":3,"textContent":"[Filtered]","id":284}],"id":283}}]}}])");
  EXPECT_EQ(events_after(R"([{"type":2,"data":{"node":{"type":0,"childNodes":[{"type":2,"tagName":"a",)"
                         R"("attributes":{"href":"/pay?t=4917&card=4917-4845-8989-7107"},"childNodes":[]}],"id":1}}}])"),
            R"([{"type":2,"data":{"node":{"type":0,"childNodes":[{"type":2,"tagName":"a",)"
            R"("attributes":{"href":"/pay?t=4917&card=[Filtered]"},"childNodes":[]}],"id":1}}}])");
}

TEST(Recording, InputsAreScrubbed) {
  EXPECT_EQ(events_after(R"([{"type":3,"data":{"source":5,"text":"4917-4845-8989-7107","isChecked":false,"id":9}}])"),
            R"([{"type":3,"data":{"source":5,"text":"[Filtered]","isChecked":false,"id":9}}])");
  EXPECT_EQ(events_after(R"([{"type":3,"data":{"source":0,"attributes":[{"id":3,"attributes":{"value":"123-45-6789"}}]}}])"),
            R"([{"type":3,"data":{"source":0,"attributes":[{"id":3,"attributes":{"value":"[Filtered]"}}]}}])");
}

TEST(Recording, HowAPageLooksStaysUnlessItIsNamed) {
  const std::string page =
      R"([{"type":2,"data":{"node":{"type":0,"childNodes":[{"type":2,"tagName":"auth-form","attributes":{"class":"auth-form","_cssText":".auth{}"},)"
      R"("childNodes":[{"type":3,"textContent":".auth{color:red}","isStyle":true,"id":4}],"id":3}],"id":1}}}])";
  EXPECT_EQ(events_after(page), page);
  const std::string told_first = R"([{"type":2,"data":{"node":{"isStyle":true,"textContent":".auth{}"}}}])";
  EXPECT_EQ(events_after(told_first), told_first);
  EXPECT_NE(events_after(R"([{"type":2,"data":{"node":{"textContent":".auth{}","isStyle":false}}}])").find("[Filtered]"), std::string::npos);
  const auto named = events_after(page, applied("class", "@anything:replace"));
  EXPECT_NE(named.find(R"("class":"[Filtered]")"), std::string::npos) << named;
}

TEST(Recording, RequestsAndResponsesAreScrubbed) {
  EXPECT_EQ(payload_after(R"({"op":"resource.fetch","description":"https://shop.example/api?xsrf=k&a=123-45-6789","data":{"method":"POST","request":)"
                          R"({"headers":{"authorization":"Bearer abc","accept":"*"},"body":{"api_key":"foobar","n":[1]}},)"
                          R"("response":{"headers":{"set-cookie":"session=abc; a=b"},"body":"{\"password\":\"x\",\"ok\":1}"}}})"),
            R"({"op":"resource.fetch","description":"https://shop.example/api?xsrf=k&a=[Filtered]","data":{"method":"POST","request":)"
            R"({"headers":{"authorization":"[Filtered]","accept":"*"},"body":{"api_key":"[Filtered]","n":[1]}},)"
            R"("response":{"headers":{"set-cookie":"session=[Filtered]; a=b"},"body":"{\"password\":\"[Filtered]\",\"ok\":1}"}}})");
  EXPECT_EQ(payload_after(R"({"op":"navigation.navigate","description":"https://u:pw@shop.example/#4917-4845-8989-7107"})"),
            R"({"op":"navigation.navigate","description":"https://u:[Filtered]@shop.example/#[Filtered]"})");
  // As anywhere: what names a secret goes as a whole.
  EXPECT_EQ(payload_after(R"({"description":"https://shop.example/?token=x"})"), R"({"description":"[Filtered]"})");
}

TEST(Recording, BreadcrumbsOfTheConsoleAreScrubbed) {
  EXPECT_EQ(payload_after(R"({"category":"console","message":"card 4917-4845-8989-7107","data":{"arguments":["secret of mine",{"passwd":"x"}]}})"),
            R"({"category":"console","message":"card [Filtered]","data":{"arguments":["[Filtered]",{"passwd":"[Filtered]"}]}})");
}

TEST(Recording, AddressesAndAdvancedRulesReachEverything) {
  Settings settings;
  settings.scrub_ip_addresses = true;
  EXPECT_EQ(payload_after(R"({"op":"a 127.0.0.1","description":"b 127.0.0.1","data":{"method":"c 127.0.0.1"}})", settings),
            R"({"op":"a [ip]","description":"b [ip]","data":{"method":"c [ip]"}})");
  EXPECT_EQ(payload_after(R"({"message":"Ada","other":"Ada"})", applied("$replay.data.payload.message", "@anything:replace")),
            R"({"message":"[Filtered]","other":"Ada"})");
}

TEST(Recording, WhatNothingMatchesIsLeftAlone) {
  for (const auto coding : {Coding::identity, Coding::deflate, Coding::gzip}) {
    const auto item = std::string(header) + packed(R"([{"type":4,"data":{"href":"https://shop.example/"}}, 7 , "x"])", coding);
    EXPECT_FALSE(scrub_item("replay_recording", item));
  }
}

TEST(Recording, KeepsItsCodingAndEveryOtherByte) {
  const std::string before = "\n[ {\"type\":4}\t, {\"data\":{\"text\":\"" + std::string(card) + "\"}} ,\n3, \"" + std::string(card) + "\" ]\n";
  const std::string after = "\n[ {\"type\":4}\t, {\"data\":{\"text\":\"[Filtered]\"}} ,\n3, \"[Filtered]\" ]\n";
  for (const auto coding : {Coding::identity, Coding::deflate, Coding::gzip}) {
    const auto scrubbed = scrub_item("replay_recording", std::string(header) + packed(before, coding));
    ASSERT_TRUE(scrubbed);
    const auto parts = relay::split_recording(*scrubbed);
    EXPECT_EQ(parts->coding, coding);
    EXPECT_EQ(*relay::recording_json(*scrubbed, 1000), after);
  }
}

TEST(Recording, WhatIsNoneStaysAsItCame) {
  const std::string event = R"({"data":{"text":"4917-4845-8989-7107"}})";
  for (const auto& body : {event, "[" + event, "[" + event + "]]", "[" + event + "] x", "[" + event + ",]", "[" + event + ",," + event + "]",
                           "[" + event + event + "]", "[," + event + "]", "[" + event + ",{\"a\":}]", "[" + event + ",\"open]", "[" + event + "}",
                           "[" + event + ",nul]", std::string("[]["), std::string()}) {
    EXPECT_FALSE(scrub_item("replay_recording", std::string(header) + body)) << body;
    EXPECT_FALSE(scrub_item("replay_recording", std::string(header) + packed(body))) << body;
  }
  const auto good = std::string(header) + packed("[" + event + "]");
  ASSERT_TRUE(scrub_item("replay_recording", good));
  for (const std::size_t cut : {std::size_t{5}, header.size(), header.size() + 10, good.size() - 1})
    EXPECT_FALSE(scrub_item("replay_recording", good.substr(0, cut)));
  EXPECT_FALSE(scrub_item("replay_recording", good + "x"));
}

// Events are cut right whatever the pieces of 64 KiB that they come in.
TEST(Recording, OfManyPiecesIsCutAtItsEvents) {
  for (const std::size_t padding : {65'500U, 65'520U, 65'521U, 65'522U, 65'530U, 65'536U, 200'000U}) {
    const auto events = [&](std::string_view text) {
      return R"([{"data":"\"],[{\\","pad":")" + std::string(padding, 'x') + R"("},{"data":{"text":")" + std::string(text) + R"("}}])";
    };
    EXPECT_EQ(events_after(events(card)), events("[Filtered]")) << padding;
  }
}

TEST(Recording, IsBoundedByItsText) {
  // 200 MiB out of 200 KiB.
  const std::string mib(std::size_t{1} << 20, ' ');
  std::string bomb(header);
  relay::PieceDeflater deflater(Coding::deflate, 9);
  deflater.add(R"([{"data":{"text":"4917-4845-8989-7107"}}])", bomb);
  for (int i = 0; i < 200; ++i) deflater.add(mib, bomb);
  deflater.end(bomb);
  const RuleSet rules = *make_rule_set(Settings());
  auto left = max_recording_bytes;
  EXPECT_FALSE(scrub_recording(rules, bomb, left));
  EXPECT_EQ(left, 0U) << "and the next one of the envelope has nothing left";
  EXPECT_FALSE(scrub_recording(rules, std::string(header) + packed(R"(["4917-4845-8989-7107"])"), left));

  relay::Item item;
  item.type = "replay_recording";
  item.payload = bomb;
  EXPECT_EQ(recording_bytes(item, std::size_t{1} << 20), std::size_t{1} << 20);
  const auto small = std::string(header) + packed("[1,2]");
  item.payload = small;
  EXPECT_EQ(recording_bytes(item, std::size_t{1} << 20), 5U);
  item.type = "attachment";
  EXPECT_EQ(recording_bytes(item, std::size_t{1} << 20), 0U);
}

TEST(Recording, AnEventThatIsTooLargeLeavesItAsItCame) {
  const auto item = std::string(header) + packed(R"([{"data":{"text":"4917-4845-8989-7107"}},")" + std::string(max_json_bytes + 1, 'x') + "\"]");
  EXPECT_FALSE(scrub_item("replay_recording", item));
}

std::string video_of(std::string_view event, std::string_view recording) {
  std::string out = "\x83";
  const auto add = [&out](std::string_view key, std::string_view value) {
    out += static_cast<char>(0xa0 + key.size());
    out += key;
    out += "\xc5";
    out += static_cast<char>(value.size() >> 8);
    out += static_cast<char>(value.size() & 0xff);
    out += value;
  };
  add("replay_event", event);
  add("replay_recording", recording);
  add("replay_video", "a film with 4917-4845-8989-7107");
  return out;
}

TEST(ReplayVideo, ItsEventAndItsRecordingAreScrubbed) {
  const auto recording = [](std::string_view text) { return std::string(header) + R"([{"data":{"text":")" + std::string(text) + R"("}}])"; };
  const std::string event = R"({"type":"replay_event","urls":["https://shop.example/?token=x"],"tags":{"password":"hunter2"}})";
  const auto both = scrub_item("replay_video", video_of(event, recording(card)));
  ASSERT_TRUE(both);
  const auto parts = relay::split_replay_video(*both);
  EXPECT_EQ(parts.recording, recording("[Filtered]"));
  EXPECT_EQ(parts.event.find("hunter2"), std::string_view::npos) << parts.event;
  EXPECT_EQ(parts.video, "a film with 4917-4845-8989-7107");
  EXPECT_FALSE(scrub_item("replay_video", video_of("{}", recording("fine"))));
  EXPECT_FALSE(scrub_item("replay_video", "no map"));
}

TEST(Recording, RealOnesAreScrubbedAsRelayDoes) {
  namespace fs = std::filesystem;
  const char* const named = std::getenv("PICKET_SHARED_DATA");  // NOLINT(concurrency-mt-unsafe)
  const auto folder = (named != nullptr ? fs::path(named) : fs::path(PICKET_SOURCE_DIR).parent_path() / "shared" / "data") / "corpus/relay/replays";
  if (!fs::exists(folder)) GTEST_SKIP() << "no shared data: set PICKET_SHARED_DATA to try real recordings";
  const auto after = [&](const char* name, const Settings& settings) {
    std::ifstream file(folder / name, std::ios::binary);
    const std::string events(std::istreambuf_iterator<char>(file), {});
    EXPECT_FALSE(events.empty()) << name;
    return events_after(events, settings);
  };
  Settings settings;
  settings.scrub_ip_addresses = true;
  for (const auto* name : {"rrweb-event-5.json", "rrweb-pii.json", "rrweb-pii-ip-address.json", "rrweb-request.json", "rrweb-request-edge-cases.json"}) {
    const auto text = after(name, settings);
    for (const auto* gone : {"4111-1111-1111-1111", "4917-4845-8989-7107", "127.0.0.1", "foobar", "scrub this password", "scrub this token"})
      EXPECT_EQ(text.find(gone), std::string::npos) << name << ": " << gone;
    EXPECT_NE(text.find("Filtered"), text.find("[ip]")) << name;
  }
  const auto page = after("rrweb-diff.json", {});
  EXPECT_NE(page.find("\"tagName\""), std::string::npos);
  std::ifstream file(folder / "rrweb-binary.txt", std::ios::binary);
  const std::string empty(std::istreambuf_iterator<char>(file), {});
  EXPECT_FALSE(scrub_item("replay_recording", empty));
}

}  // namespace
}  // namespace picket::scrub
