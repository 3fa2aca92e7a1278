// What filters and scrubbing make of an envelope together: they read one index of each payload.
#include "relay/ingest/pipeline.h"

#include "relay/ingest/project_settings.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace picket::ingest {
namespace {

Sender sender(std::string_view settings =
                  R"({"options":{"filters:error_messages":"*unwanted*","filters:web-crawlers":true}})") {
  schema::Project project;
  project.set_id(1);
  project.set_options_json(std::string(settings));
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

Judgement judge_trace(const Sender& who, double drawn, std::string_view payload, std::string_view others = {}) {
  const auto bytes = R"({"trace":{"trace_id":"771a43a4192642f0b136d5159a501700","sample_rand":")" +
                     std::to_string(drawn) + "\"}}\n{\"type\":\"transaction\"}\n" + std::string(payload) + "\n" +
                     std::string(others);
  const auto envelope = relay::parse_envelope(bytes);
  EXPECT_TRUE(envelope);
  QuotaBook book;
  return Pipeline(book).judge(who, *envelope, {"198.51.100.7", "sdk/1"}, Time{});
}

void expect_same(const std::vector<ItemCount>& a, const std::vector<ItemCount>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].category, b[i].category);
    EXPECT_EQ(a[i].quantity, b[i].quantity);
  }
}

std::string sampling_by(std::string_view condition) {
  return R"({"options":{"picket:sampling":{"rules":[)" + std::string(condition) +
         R"({"id":9,"type":"trace","samplingValue":{"type":"sampleRate","value":0.5}}]}}})";
}

TEST(Pipeline, SamplingReadsWhatScrubbingLeft) {
  const auto by = [](std::string_view value) {
    return sender(sampling_by(
        R"({"id":1,"type":"transaction","samplingValue":{"type":"sampleRate","value":0},"condition":)"
        R"({"op":"eq","name":"event.extra.password","value":")" + std::string(value) + R"("}},)"));
  };
  EXPECT_TRUE(judge_trace(by("hunter2"), 0.1, secret).dropped.empty());
  const auto judged = judge_trace(by("[Filtered]"), 0.1, secret);
  ASSERT_EQ(judged.dropped.size(), 1U);
  EXPECT_EQ(judged.dropped[0].outcome, relay::Outcome::filtered);
  EXPECT_EQ(judged.dropped[0].reason, "Sampled:1");
}

// A rule that no payload meets makes no difference but for the order of the steps.
TEST(Pipeline, SamplingByTheTraceAloneIsTheSameBeforeScrubbing) {
  const auto early = sender(sampling_by(""));
  const auto late = sender(sampling_by(
      R"({"id":1,"type":"transaction","samplingValue":{"type":"sampleRate","value":0},)"
      R"("condition":{"op":"eq","name":"event.nowhere","value":1}},)"));
  EXPECT_FALSE(early.settings->sampling.reads_payload());
  EXPECT_TRUE(late.settings->sampling.reads_payload());
  const std::string beside = "{\"type\":\"span\"}\n{\"data\":{\"api_key\":\"k\"}}\n{\"type\":\"attachment\",\"length\":1}\nx\n"
                             "{\"type\":\"log\"}\n{\"body\":\"password=hunter2\"}\n{\"type\":\"session\"}\n{}\n";
  std::size_t sampled = 0;
  for (const double drawn : {0.1, 0.4, 0.6, 0.9}) {
    for (const auto payload : {clean, secret, unwanted, std::string_view("not JSON"), std::string_view()}) {
      for (const auto& others : {std::string(), beside}) {
        const auto first = judge_trace(early, drawn, payload, others);
        const auto second = judge_trace(late, drawn, payload, others);
        ASSERT_EQ(first.envelope.has_value(), second.envelope.has_value());
        if (first.envelope) {
          EXPECT_EQ(std::string_view(*first.envelope), std::string_view(*second.envelope));
        }
        ASSERT_EQ(first.dropped.size(), second.dropped.size());
        for (std::size_t i = 0; i < first.dropped.size(); ++i) {
          expect_same({first.dropped[i].items}, {second.dropped[i].items});
          EXPECT_EQ(first.dropped[i].outcome, second.dropped[i].outcome);
          EXPECT_EQ(first.dropped[i].reason, second.dropped[i].reason);
        }
        expect_same(first.kept, second.kept);
        EXPECT_EQ(first.all_limited, second.all_limited);
        sampled += first.dropped.size();
      }
    }
  }
  EXPECT_GT(sampled, 0U);
}

TEST(Pipeline, FiltersGoBeforeSampling) {
  const auto who = sender(R"({"options":{"filters:filtered-transaction":true,
      "picket:sampling":{"rules":[{"id":9,"type":"trace","samplingValue":{"type":"sampleRate","value":0}}]}}})");
  const auto judged = judge_trace(who, 0.5, R"({"transaction":"/health"})");
  ASSERT_EQ(judged.dropped.size(), 1U);
  EXPECT_EQ(judged.dropped[0].reason, "filtered-transaction");
}

std::string attachment_of_trace(std::string_view more) {
  const std::string meta = R"({"attachment_id":"019a72d07ffe77208c013ac888b38d9e","attributes":{"api_key":{"type":"string","value":"k"}}})";
  return R"({"type":"attachment","content_type":"application/vnd.sentry.trace-attachment","length":)" + std::to_string(meta.size() + 4) +
         R"(,"meta_length":)" + std::to_string(meta.size()) + std::string(more) + "}\n" + meta + "body\n";
}

Judgement judge_items(const Sender& who, std::string_view items, double drawn = 0.1) {
  const auto bytes = R"({"trace":{"trace_id":"771a43a4192642f0b136d5159a501700","sample_rand":")" + std::to_string(drawn) + "\"}}\n" + std::string(items);
  const auto envelope = relay::parse_envelope(bytes);
  EXPECT_TRUE(envelope);
  QuotaBook book;
  return Pipeline(book).judge(who, *envelope, {"198.51.100.7", "sdk/1"}, Time{});
}

TEST(Pipeline, AScrubbedAttachmentOfATraceStillSaysWhereItsBodyBegins) {
  const auto judged = judge_items(sender(), attachment_of_trace(""));
  ASSERT_TRUE(judged.envelope);
  const std::string kept(std::string_view(*judged.envelope));
  const auto envelope = relay::parse_envelope(kept);
  ASSERT_TRUE(envelope) << kept;
  const auto parts = relay::split_trace_attachment(envelope->items.at(0));
  ASSERT_TRUE(parts) << kept;
  EXPECT_EQ(parts->body, "body");
  EXPECT_NE(parts->meta.find("[Filtered]"), std::string_view::npos) << parts->meta;
}

TEST(Pipeline, AnAttachmentOfASpanGoesWithTheSpan) {
  const auto who = sender(R"({"options":{"picket:quotas":[{"id":"none","categories":["span"],"limit":0}]}})");
  const std::string span = "{\"type\":\"span\"}\n{\"span_id\":\"aaaaaaaaaaaaaaaa\"}\n";
  for (const std::string_view owner : {R"(,"span_id":"aaaaaaaaaaaaaaaa")", R"(,"span_id":null)"}) {
    const auto judged = judge_items(who, attachment_of_trace(owner) + span);
    ASSERT_EQ(judged.dropped.size(), 2U) << owner;
    for (const auto& dropped : judged.dropped) EXPECT_EQ(dropped.outcome, relay::Outcome::rate_limited);
    EXPECT_TRUE(judged.kept.empty());
  }
  const auto alone = judge_items(who, attachment_of_trace("") + span);
  ASSERT_EQ(alone.dropped.size(), 1U);
  EXPECT_EQ(alone.dropped[0].items.category, relay::DataCategory::span);
  EXPECT_TRUE(judge_items(who, attachment_of_trace(R"(,"span_id":null)")).dropped.empty()) << "no span was refused";
}

TEST(Pipeline, AttachmentsOfATraceAreSampledWithIt) {
  const auto who = sender(sampling_by(""));
  const std::string span = "{\"type\":\"span\"}\n{\"span_id\":\"aaaaaaaaaaaaaaaa\"}\n";
  for (const auto& items : {attachment_of_trace(""), attachment_of_trace("") + span, span + attachment_of_trace("")}) {
    EXPECT_TRUE(judge_items(who, items, 0.4).dropped.empty());
    EXPECT_TRUE(judge_items(who, items, 0.6).kept.empty());
  }
  const auto of_event = judge_items(who, "{\"type\":\"attachment\",\"length\":1}\nx\n", 0.6);
  EXPECT_TRUE(of_event.dropped.empty());
}

TEST(Pipeline, ATargetRateSamplesWhatTheRulesLeaveUndecided) {
  schema::Project project;
  project.set_id(1);
  project.set_options_json(R"({"options":{"picket:sampling":{"rules":[{"id":9,"type":"trace",
      "samplingValue":{"type":"sampleRate","value":1},"condition":{"op":"eq","name":"trace.release","value":"x"}}]}}})");
  Sender who;
  who.project = 1;
  who.settings = make_project_settings(project, R"({"targetSampleRate":0.25})", {}, 0);
  EXPECT_TRUE(judge_trace(who, 0.2, clean).dropped.empty());
  const auto judged = judge_trace(who, 0.3, clean);
  ASSERT_EQ(judged.dropped.size(), 1U);
  EXPECT_EQ(judged.dropped[0].reason, "Sampled:1000");
}

}  // namespace
}  // namespace picket::ingest
