// User reports, feedback and attachments.
#include "api/digest/digest_fixture.h"
#include "api/digest/trim.h"
#include "api/digest/user_report.h"
#include "relay/protocol/hex.h"

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

class Reports : public DigestTest {
 protected:
  static std::string raw(std::uint64_t number) {
    return std::string(relay::raw_bytes(*relay::parse_event_id(id_text(number))));
  }
  void report(std::uint64_t event, std::string_view comments) {
    receive(envelope(item("user_report", R"({"event_id":")" + id_text(event) + R"(","name":"Ada","email":"ada@example.com","comments":")" + std::string(comments) + "\"}")));
  }
  std::optional<schema::UserReport> found(std::uint64_t event) const {
    return find_user_report(tables->snapshot(), test_project, raw(event));
  }
};

TEST_F(Reports, AReportIsLinkedToItsEvent) {
  receive_event(R"(,"message":"m")");
  report(1, "it broke");
  digest_all();
  ASSERT_TRUE(found(1));
  EXPECT_EQ(found(1)->comments(), "it broke");
  EXPECT_EQ(found(1)->issue(), only_issue().id());
  EXPECT_EQ(count_user_reports(tables->snapshot(), only_issue().id()), 1U);
}

TEST_F(Reports, AReportBeforeItsEventIsLinkedLater) {
  report(1, "it will break");
  digest_all();
  EXPECT_EQ(found(1)->issue(), 0U);
  receive_event(R"(,"message":"m")");
  digest_all();
  EXPECT_EQ(found(1)->issue(), only_issue().id());
  EXPECT_EQ(count_user_reports(tables->snapshot(), only_issue().id()), 1U);
}

TEST_F(Reports, TheLatestReportOfAnEventCounts) {
  report(1, "first");
  report(1, "second");
  digest_all();
  EXPECT_EQ(rows(Table::user_reports), 1U);
  EXPECT_EQ(found(1)->comments(), "second");
  EXPECT_EQ(outcomes()["user_report accepted"], 2U);
}

TEST_F(Reports, WhatIsNoReportIsCounted) {
  receive(envelope(item("user_report", "nonsense")));
  receive(envelope(item("user_report", "{}")));
  digest_all();
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"user_report invalid/invalid_json", 2}}));
}

TEST_F(Reports, EachFeedbackIsAnIssueOfItsOwn) {
  for (std::uint64_t number = 1; number <= 2; ++number) {
    receive(envelope(item("feedback", R"({"environment":"prod","contexts":{"feedback":{"message":"love it","contact_email":"ada@example.com","name":"Ada","source":"widget"}}})"), id_text(number)));
  }
  digest_all();
  const auto all = issues();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].title(), "User Feedback");
  EXPECT_EQ(all[0].culprit(), "user");
  EXPECT_EQ(all[0].issue_type(), "feedback");
  EXPECT_EQ(all[0].level(), static_cast<std::uint32_t>(EventLevel::info));
  EXPECT_NE(all[0].metadata_json().find(R"("contact_email":"ada@example.com")"), std::string::npos);
  EXPECT_EQ(outcomes()["feedback accepted"], 2U);
}

TEST_F(Reports, AttachmentsAreFoundWithOrWithoutTheirEvent) {
  receive(envelope(item("event", R"({"message":"m"})") + item("attachment", "12345", R"(,"filename":"a\u0000b.txt","content_type":"text/plain")"), id_text(1)));
  receive(envelope(item("attachment", "{}", R"(,"filename":"view-hierarchy.json","attachment_type":"event.view_hierarchy")"), id_text(1)));
  receive(envelope(item("attachment", "trace"), id_text(2)));
  digest_all();
  EXPECT_EQ(rows(Table::attachments), 3U);
  const auto first = row<schema::Attachment>(Table::attachments, Key().u64(test_project).raw(raw(1)).u64(1).u16(1));
  EXPECT_EQ(first.bytes(), 5U);
  EXPECT_EQ(first.content_type(), "text/plain");
  EXPECT_EQ(relay::render_hex(first.sha1()), "8cb2237d0679ca88db6464eac60da96345513964");
  const auto second = row<schema::Attachment>(Table::attachments, Key().u64(test_project).raw(raw(1)).u64(2).u16(0));
  EXPECT_EQ(second.type(), "event.view_hierarchy");
}

TEST_F(Reports, AttachmentsOfATraceAreFoundByIt) {
  const std::string ours = R"({"attachment_id":"019a72d0-7ffe-7720-8c01-3ac888b38d9e","trace_id":")" + id_text(9) + R"(","filename":"cart.txt","content_type":"text/plain"})";
  const std::string of_header = R"({"attachment_id":"019a72d07ffe77208c013ac888b38d9f"})";
  const auto of_trace = [](std::string_view meta, std::string_view more = "") {
    return item("attachment", std::string(meta) + "body", R"(,"content_type":"application/vnd.sentry.trace-attachment","meta_length":)" + std::to_string(meta.size()) + std::string(more));
  };
  receive(envelope(item("event", R"({"message":"m"})") + of_trace(ours, R"(,"span_id":"aaaaaaaaaaaaaaaa")"), id_text(1)));
  receive("{\"trace\":{\"trace_id\":\"" + id_text(8) + "\"}}\n" + of_trace(of_header));
  for (const std::string_view wrong : {R"({"trace_id":"00000000000000000000000000000009"})", "[]", "{", ""}) receive(envelope(of_trace(wrong)));
  receive(envelope(of_trace(of_header)));  // no trace
  receive(envelope(item("attachment", ours, R"(,"content_type":"application/vnd.sentry.attachment.v2","meta_length":100000)")));
  digest_all();
  EXPECT_EQ(rows(Table::attachments), 2U);
  const auto first = row<schema::Attachment>(Table::attachments, Key().u64(test_project).raw(raw(9)).u64(1).u16(1));
  EXPECT_EQ(first.name(), "cart.txt");
  EXPECT_EQ(first.content_type(), "text/plain");
  EXPECT_EQ(first.bytes(), 4U);
  EXPECT_EQ(relay::render_hex(first.trace_item()), "019a72d07ffe77208c013ac888b38d9e");
  EXPECT_EQ(relay::render_hex(first.span_id()), "aaaaaaaaaaaaaaaa");
  EXPECT_EQ(relay::render_hex(first.sha1()), "02083f4579e08a612425c0c1a17ee47add783b94");
  const auto second = row<schema::Attachment>(Table::attachments, Key().u64(test_project).raw(raw(8)).u64(2).u16(0));
  EXPECT_EQ(second.name(), "Unnamed Attachment");
  EXPECT_TRUE(second.span_id().empty());
  EXPECT_EQ(rows(Table::raw_items), 8U) << "kept as they came, all of them";
  EXPECT_EQ(outcomes()["attachment_item accepted"], 2U);
  EXPECT_EQ(outcomes()["attachment_item invalid/invalid_trace_attachment"], 6U);
}

TEST_F(Reports, AttachmentsGoWithTheJournal) {
  for (std::uint64_t number = 1; number <= 3; ++number)
    receive(envelope(item("attachment", "x"), id_text(number)));
  digest_all();
  ASSERT_TRUE(trim_before(*tables, 3, 100));
  EXPECT_EQ(rows(Table::attachments), 1U);
  EXPECT_EQ(rows(Table::raw_items), 1U);
}

}  // namespace
}  // namespace picket::digest
