// What filters and scrubbing make of an envelope together: they read one index of each payload.
#include "relay/ingest/pipeline.h"

#include "relay/ingest/project_settings.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace picket::ingest {
namespace {

Sender sender() {
  schema::Project project;
  project.set_id(1);
  project.set_options_json(
      R"({"options":{"filters:error_messages":"*unwanted*","filters:web-crawlers":true}})");
  Sender made;
  made.key.hex = std::string(32, 'a');
  made.project = 1;
  made.settings = make_project_settings(project, "", {}, 0);
  return made;
}

std::string generated_item(std::string_view payload) {
  return R"({"type":"event","length":)" + std::to_string(payload.size()) + "}\n" +
         std::string(payload) + "\n";
}

struct Judged {
  Judgement judgement;
  std::string kept;  // "" when the envelope stays as it came
};

Judged judge(const Sender& who, const std::vector<std::string>& payloads) {
  std::string bytes = "{}\n";
  for (const auto& payload : payloads)
    bytes += generated_item(payload);
  const auto envelope = relay::parse_envelope(bytes);
  EXPECT_TRUE(envelope);
  QuotaBook book;
  Judged judged{Pipeline(book).judge(who, *envelope, {"198.51.100.7", "sdk/1"}, Time{}), {}};
  if (judged.judgement.envelope) judged.kept = std::string_view(*judged.judgement.envelope);
  return judged;
}

constexpr std::string_view clean = R"({"message":"fine","extra":{"a":1}})";
constexpr std::string_view secret = R"({"message":"fine","extra":{"password":"hunter2"}})";
constexpr std::string_view unwanted = R"({"exception":[{"type":"E","value":"an unwanted\u0020one"}]})";

TEST(Pipeline, JudgesEachItemByItsOwnPayload) {
  const auto who = sender();
  const auto judged = judge(who, {std::string(clean), std::string(secret), std::string(unwanted),
                                  std::string(clean)});
  ASSERT_TRUE(judged.judgement.envelope);
  ASSERT_EQ(judged.judgement.dropped.size(), 1U);
  EXPECT_EQ(judged.judgement.dropped[0].reason, "error-message");
  EXPECT_EQ(judged.judgement.dropped[0].items.quantity, 1U);
  const auto kept = relay::parse_envelope(judged.kept);
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->items.size(), 3U);
  EXPECT_EQ(kept->items[0].payload, clean);
  EXPECT_EQ(kept->items[1].payload.find("hunter2"), std::string_view::npos);
  EXPECT_EQ(kept->items[2].payload, clean);
}

// Whatever was read on the thread before, and in whichever order.
TEST(Pipeline, ChangesWhatItsStepsChangeByThemselves) {
  const auto who = sender();
  const std::vector<std::string> payloads = {
      std::string(clean), std::string(secret), std::string(unwanted), "not JSON", "", "{\"a\":\"",
      R"({"request":{"headers":{"User-Agent":"Googlebot/2.1","Cookie":"a=b; session=xyz"}}})",
      R"({"request":{"query_string":"a=1&token=abc","url":"http://u:pw@h/?auth=1"},"_meta":{}})",
      R"({"extra":{"padding":")" + std::string(std::size_t{2} << 20, 'x') + R"(","api_key":"k"}})"};
  for (const auto& first : payloads) {
    for (const auto& second : payloads) {
      const auto judged = judge(who, {first, second});
      std::size_t dropped = 0;
      std::string expected = "{}\n";
      bool changed = false;
      for (const auto* payload : {&first, &second}) {
        relay::Item alone;
        alone.type = "event";
        alone.payload = *payload;
        if (!who.settings->filters.judge(alone, {"198.51.100.7", "sdk/1", {}}).empty()) {
          ++dropped;
          continue;
        }
        const auto scrubbed = who.settings->scrubbers.front().scrub(alone);
        changed = changed || scrubbed;
        expected += generated_item(scrubbed ? *scrubbed : *payload);
      }
      std::size_t counted = 0;
      for (const auto& items : judged.judgement.dropped)
        counted += items.items.quantity;
      EXPECT_EQ(counted, dropped);
      if (dropped == 2 || (dropped == 0 && !changed)) {
        EXPECT_FALSE(judged.judgement.envelope.has_value());
      } else {
        EXPECT_TRUE(judged.kept == expected) << judged.kept.substr(0, 500);
      }
    }
  }
}

}  // namespace
}  // namespace picket::ingest
