// User reports, feedback and attachments.
#include "issue_fixture.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

namespace picket::rest {
namespace {

class ReportsApi : public IssuesTest {
 protected:
  // One item with its own header members (with a leading comma), of the event `id`.
  void receive_item(std::string_view id, std::string_view type, std::string_view payload, std::string_view header = "") {
    buffer::Record record;
    record.received = clock_.now();
    record.project = first.project_id;
    record.key = std::string(16, 'k');
    record.body = "{\"event_id\":\"" + std::string(id) + "\"}\n{\"type\":\"" + std::string(type) + "\",\"length\":" + std::to_string(payload.size()) + std::string(header) + "}\n" + std::string(payload) + "\n";
    EXPECT_TRUE(journal.offer(std::move(record), [](const Result<buffer::Sequence>&) {}));
    digest();
  }
  static std::string report(std::string_view event, std::string_view comments) {
    return R"({"event_id":")" + std::string(event) + R"(","name":"Ada","email":"ada@example.com","comments":")" + std::string(comments) + "\"}";
  }
  // So many rows of attachments, and of reports in each of their tables.
  void expect_left(std::uint64_t attachments, std::uint64_t reports) {
    const auto snapshot = tables_->snapshot();
    EXPECT_EQ(snapshot.entries(buffer::Table::attachments), attachments);
    for (const auto table : {buffer::Table::user_reports, buffer::Table::user_reports_by_event, buffer::Table::user_reports_by_issue})
      EXPECT_EQ(snapshot.entries(table), reports) << buffer::table_name(table);
  }
  std::string attachments(std::string_view event, std::string_view rest = "") const {
    return project_path("events/" + std::string(event) + "/attachments/" + std::string(rest));
  }
};

constexpr std::string_view trace_of_attachments = "0123456789abcdef0123456789abcdef";

TEST_F(ReportsApi, AnAttachmentOfATraceIsListedShownDownloadedAndDeleted) {
  const std::string meta = R"({"attachment_id":"019a72d0-7ffe-7720-8c01-3ac888b38d9e","trace_id":"0123456789abcdef0123456789abcdef","timestamp":1760520026.5,
    "filename":"cart.txt","content_type":"text/plain","attributes":{"items":{"type":"integer","value":3},"shop":{"type":"string","value":"north"},"odd":null}})";
  const auto event = error("ValueError");
  receive_item(event, "attachment", meta + "two pears", R"(,"content_type":"application/vnd.sentry.trace-attachment","span_id":"aaaaaaaaaaaaaaaa","meta_length":)" + std::to_string(meta.size()));
  EXPECT_TRUE(get(attachments(event)).json.as_array().empty()) << "not the event's beside which it came";

  const auto all = project_path("traces/" + std::string(trace_of_attachments) + "/attachments/");
  const auto list = get(all);
  ASSERT_EQ(list.json.as_array().size(), 1U) << list.text;
  const auto& shown = list.json.at(0);
  const std::string id = "019a72d07ffe77208c013ac888b38d9e";
  EXPECT_EQ(shown.at("id"), json_text(id));
  EXPECT_EQ(shown.at("name"), "cart.txt");
  EXPECT_EQ(shown.at("mimetype"), "text/plain");
  EXPECT_EQ(shown.at("size"), 9);
  EXPECT_EQ(shown.at("trace_id"), json_text(trace_of_attachments));
  EXPECT_EQ(shown.at("span_id"), "aaaaaaaaaaaaaaaa");
  EXPECT_EQ(get(all + id + "/").json, shown);
  const auto bytes = get(all + id + "/?download=1");
  EXPECT_EQ(bytes.text, "two pears");
  EXPECT_EQ(bytes.content_type, "text/plain");
  EXPECT_TRUE(bytes.headers.find("Content-Disposition").starts_with("attachment; filename=\"cart.txt\""));

  const auto at = project_path("trace-items/" + id + "/?item_type=attachments");
  EXPECT_EQ(get(at).status, 400U) << "which trace?";
  EXPECT_EQ(get(at + "&trace_id=" + std::string(31, '0') + "1").status, 404U);
  const auto as_item = get(at + "&trace_id=" + std::string(trace_of_attachments));
  ASSERT_EQ(as_item.status, 200U) << as_item.text;
  EXPECT_EQ(as_item["itemId"], json_text(id));
  EXPECT_EQ(as_item["timestamp"], "2025-10-15T09:20:26.500000Z");
  EXPECT_EQ(as_item["attributes"], boost::json::parse(R"([{"name":"items","type":"int","value":3},{"name":"shop","type":"str","value":"north"},
    {"name":"file.name","type":"str","value":"cart.txt"},{"name":"file.size","type":"int","value":9},
    {"name":"sentry.content-type","type":"str","value":"text/plain"},{"name":"sentry.span_id","type":"str","value":"aaaaaaaaaaaaaaaa"},
    {"name":"trace","type":"str","value":"0123456789abcdef0123456789abcdef"},{"name":"project_id","type":"int","value":)" + std::to_string(first.project_id) + "}]"))
      << as_item.text;

  EXPECT_EQ(call("DELETE", all + id + "/", "").status, 204U);
  EXPECT_EQ(get(all + id + "/").status, 404U);
  EXPECT_TRUE(get(all).json.as_array().empty());
  EXPECT_EQ(get(project_path("traces/none/attachments/")).status, 404U);
}

TEST_F(ReportsApi, AReportIsListedAndShownWithItsEvent) {
  const auto event = error("ValueError");
  receive_item(event, "user_report", report(event, "it broke"));
  const auto list = get(project_path("user-feedback/"));
  ASSERT_EQ(list.json.as_array().size(), 1U) << list.text;
  EXPECT_EQ(list.json.at(0).at("comments"), "it broke");
  EXPECT_EQ(list.json.at(0).at("eventID"), json_text(event));
  EXPECT_EQ(list.json.at(0).at("issue").at("id"), json_text(issue("ValueError")));
  EXPECT_EQ(get(organization_path("issues/" + issue("ValueError") + "/user-reports/")).json.as_array().size(), 1U);
  EXPECT_EQ(get(organization_path("issues/" + issue("ValueError") + "/"))["userReportCount"], 1);
  EXPECT_EQ(get(project_path("events/" + event + "/"))["userReport"].at("name"), "Ada");
}

TEST_F(ReportsApi, AReportCanBePosted) {
  const auto event = error("ValueError");
  const auto posted = call("POST", project_path("user-feedback/"), report(event, "first"));
  ASSERT_EQ(posted.status, 200U) << posted.text;
  EXPECT_EQ(posted["issue"].at("id"), json_text(issue("ValueError")));
  EXPECT_EQ(call("POST", project_path("user-feedback/"), report(event, "second"))["comments"], "second");
  EXPECT_EQ(get(project_path("user-feedback/")).json.as_array().size(), 1U);
  clock_.advance(std::chrono::minutes(6));
  EXPECT_EQ(call("POST", project_path("user-feedback/"), report(event, "third")).status, 409U);
  EXPECT_EQ(call("POST", project_path("user-feedback/"), R"({"event_id":"zz","comments":"x"})").status, 400U);
  EXPECT_EQ(call("POST", project_path("user-feedback/"), R"({})").status, 400U);
}

TEST_F(ReportsApi, APostedReportIsInTheJournalAsAnSdkWouldHaveSentIt) {
  const auto event = error("ValueError");
  const auto before = journal.records().size();
  ASSERT_EQ(call("POST", project_path("user-feedback/"), report(event, R"(it \"broke\"\nhere)")).status, 200U);
  ASSERT_EQ(journal.records().size(), before + 1);
  const auto record = journal.records().back();
  EXPECT_EQ(record.project, first.project_id);
  EXPECT_EQ(relay::render_hex(record.key), first.public_key);
  schema::IntakeMeta meta;
  ASSERT_TRUE(meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size())));
  EXPECT_EQ(relay::render_hex(meta.event_id()), event);
  const auto envelope = relay::parse_envelope(record.body.view());
  ASSERT_TRUE(envelope && envelope->items.size() == 1);
  EXPECT_EQ(relay::render_event_id(envelope->fields.event_id.value()), event);
  EXPECT_EQ(envelope->items[0].type, "user_report");
  EXPECT_EQ(meta.item_counts(0), static_cast<std::uint64_t>(relay::category_of(envelope->items[0])));
  const auto payload = boost::json::parse(envelope->items[0].payload);
  EXPECT_EQ(payload.at("event_id"), json_text(event));
  EXPECT_EQ(payload.at("name"), "Ada");
  EXPECT_EQ(payload.at("email"), "ada@example.com");
  EXPECT_EQ(payload.at("comments"), "it \"broke\"\nhere");
}

TEST_F(ReportsApi, DigestingAPostedReportChangesNothing) {
  const auto event = error("ValueError");
  ASSERT_EQ(call("POST", project_path("user-feedback/"), report(event, "it broke")).status, 200U);
  const auto posted = get(project_path("user-feedback/"));
  digest();
  EXPECT_EQ(get(project_path("user-feedback/")).text, posted.text);
}

TEST_F(ReportsApi, AReportThatCannotBeMadeDurableIsRefusedAndNotShown) {
  journal.set_full(true);
  EXPECT_EQ(call("POST", project_path("user-feedback/"), report(event_id_text(78), "hello")).status, 503U);
  journal.set_full(false);
  journal.fail_commits(Error{Fault::unavailable, "no disk"});
  EXPECT_EQ(call("POST", project_path("user-feedback/"), report(event_id_text(78), "hello")).status, 503U);
  EXPECT_EQ(get(project_path("user-feedback/")).json.as_array().size(), 0U);
}

TEST_F(ReportsApi, ADsnIsEnoughToReportAndForNothingElse) {
  const auto key = get(project_path("keys/")).json.at(0);
  http::Request request;
  request.head.method = "POST";
  request.head.path = request.head.target = project_path("user-feedback/");
  request.head.headers.add("Authorization", "DSN " + text_of(key.at("dsn").at("public")));
  request.body = report(event_id_text(77), "hello");
  EXPECT_EQ(serve(issues_api_, request).status, 200U);
  request.head.method = "GET";
  EXPECT_EQ(serve(issues_api_, request).status, 403U);
  request.head.headers.set("Authorization", "DSN http://00000000000000000000000000000000@h/1");
  request.head.method = "POST";
  EXPECT_EQ(serve(issues_api_, request).status, 401U);
}

TEST_F(ReportsApi, FeedbackIsAnIssueOfItsOwnCategory) {
  receive(R"({"contexts":{"feedback":{"message":"nice shop","contact_email":"ada@example.com","source":"widget"}}})", "feedback");
  digest();
  const auto found = get(organization_path("issues/?query=issue.category:feedback"));
  ASSERT_EQ(found.json.as_array().size(), 1U) << found.text;
  const auto& issue = found.json.at(0);
  EXPECT_EQ(issue.at("title"), "User Feedback");
  EXPECT_EQ(issue.at("culprit"), "user");
  EXPECT_EQ(issue.at("issueType"), "feedback");
  EXPECT_EQ(issue.at("issueCategory"), "feedback");
  EXPECT_EQ(issue.at("metadata").at("message"), "nice shop");
  const auto event = get(organization_path("issues/" + text_of(issue.at("id")) + "/events/latest/"));
  EXPECT_EQ(event["contexts"].at("feedback").at("message"), "nice shop");
  EXPECT_EQ(event["title"], "User Feedback");
}

TEST_F(ReportsApi, AttachmentsAreListedDownloadedAndDeleted) {
  const auto event = error("ValueError");
  receive_item(event, "attachment", std::string("\x00\xff" "bytes", 7), R"(,"filename":"crash \"log\"/../ä.txt","content_type":"text/plain")");
  receive_item(event, "attachment", "{}", R"(,"filename":"view-hierarchy.json","attachment_type":"event.view_hierarchy")");
  const auto list = get(attachments(event));
  ASSERT_EQ(list.json.as_array().size(), 2U) << list.text;
  EXPECT_EQ(list.json.at(0).at("size"), 7);
  EXPECT_EQ(list.json.at(0).at("mimetype"), "text/plain");
  EXPECT_EQ(list.json.at(0).at("event_id"), json_text(event));
  EXPECT_EQ(list.json.at(1).at("type"), "event.view_hierarchy");
  EXPECT_EQ(list.json.at(1).at("mimetype"), "application/json");
  EXPECT_EQ(get(attachments(event, "?query=hierarchy")).json.as_array().size(), 1U);
  const auto id = text_of(list.json.at(0).at("id"));
  EXPECT_EQ(get(attachments(event, id + "/"))["id"], json_text(id));
  const auto bytes = get(attachments(event, id + "/?download"));
  EXPECT_EQ(bytes.text, std::string("\x00\xff" "bytes", 7));
  EXPECT_EQ(bytes.content_type, "text/plain");
  EXPECT_EQ(bytes.headers.find("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(bytes.headers.find("Content-Disposition"),
            "attachment; filename=\"crash _log__.._"
            "__.txt\"; filename*=UTF-8''crash%20%22log%22_.._%C3%A4.txt");
  EXPECT_EQ(call("DELETE", attachments(event, id + "/")).status, 204U);
  EXPECT_EQ(get(attachments(event)).json.as_array().size(), 1U);
  EXPECT_EQ(get(attachments(event, id + "/")).status, 404U);
  EXPECT_EQ(get(project_path("events/" + event + "/"))["hasAttachments"], true);
  EXPECT_EQ(get(organization_path("issues/?expand=latestEventHasAttachments")).json.at(0).at("latestEventHasAttachments"), true);
}

TEST_F(ReportsApi, AMinidumpIsTheCrashFile) {
  const auto event = error("Crash");
  receive_item(event, "attachment", "MDMP", R"(,"filename":"m.dmp","attachment_type":"event.minidump")");
  EXPECT_EQ(get(project_path("events/" + event + "/"))["crashFile"].at("name"), "m.dmp");
}

TEST_F(ReportsApi, WhatBelongsToADeletedIssueGoesWithIt) {
  const auto gone = error("Alpha");
  const auto stays = error("Beta");
  for (const auto& event : {gone, stays}) {
    receive_item(event, "attachment", "bytes", R"(,"filename":"a.txt")");
    receive_item(event, "attachment", "more", R"(,"filename":"b.txt")");
    receive_item(event, "user_report", report(event, "it broke"));
  }
  ASSERT_EQ(call("DELETE", organization_path("issues/" + issue("Alpha") + "/")).status, 202U);
  expect_left(2, 1);
  ASSERT_EQ(get(project_path("user-feedback/")).json.as_array().size(), 1U);
  EXPECT_EQ(get(project_path("user-feedback/")).json.at(0).at("eventID"), json_text(stays));
  EXPECT_EQ(get(attachments(gone)).status, 404U);
  EXPECT_EQ(get(attachments(stays)).json.as_array().size(), 2U);
  // The same event again is a new one, without what the old one had.
  receive_item(gone, "event", R"({"platform":"python","exception":{"values":[{"type":"Alpha","value":"went wrong"}]}})");
  EXPECT_EQ(get(attachments(gone)).json.as_array().size(), 0U);
  EXPECT_TRUE(get(project_path("events/" + gone + "/"))["userReport"].is_null());
  EXPECT_EQ(get(organization_path("issues/" + issue("Alpha") + "/"))["userReportCount"], 0);
}

TEST_F(ReportsApi, WhatBelongsToADiscardedIssueGoesAndDoesNotComeAgain) {
  const auto event = error("Alpha");
  receive_item(event, "attachment", "bytes");
  receive_item(event, "user_report", report(event, "it broke"));
  ASSERT_EQ(call("PUT", organization_path("issues/?id=" + issue("Alpha")), R"({"discard":true})").status, 204U);
  expect_left(0, 0);
  // One more of its kind, with all that came with it.
  const auto id = event_id_text(4711);
  const std::string payload = R"({"platform":"python","exception":{"values":[{"type":"Alpha","value":"went wrong"}]}})";
  const auto said = report(id, "again");
  buffer::Record record;
  record.received = clock_.now();
  record.project = first.project_id;
  record.key = std::string(16, 'k');
  record.body = "{\"event_id\":\"" + id + "\"}\n{\"type\":\"event\",\"length\":" + std::to_string(payload.size()) + "}\n" + payload +
                "\n{\"type\":\"attachment\",\"length\":5}\nbytes\n{\"type\":\"user_report\",\"length\":" + std::to_string(said.size()) + "}\n" + said + "\n";
  EXPECT_TRUE(journal.offer(std::move(record), [](const Result<buffer::Sequence>&) {}));
  digest();
  expect_left(0, 0);
  EXPECT_EQ(get(project_path("user-feedback/")).json.as_array().size(), 0U);
  EXPECT_EQ(listed("query="), Titles{});
}

// More belongings than one batch removes, of an issue that another was merged into.
TEST_F(ReportsApi, BelongingsWithoutNumberGoInPortions) {
  const auto first_event = error("Alpha");
  const auto second_event = error("Beta");
  std::string body = "{\"event_id\":\"" + second_event + "\"}\n";
  constexpr int many = 5'000;
  for (int i = 0; i < many; ++i) body += "{\"type\":\"attachment\",\"length\":1}\nx\n";
  buffer::Record record;
  record.received = clock_.now();
  record.project = first.project_id;
  record.key = std::string(16, 'k');
  record.body = std::move(body);
  EXPECT_TRUE(journal.offer(std::move(record), [](const Result<buffer::Sequence>&) {}));
  digest();
  receive_item(first_event, "attachment", "bytes");
  receive_item(first_event, "user_report", report(first_event, "it broke"));
  expect_left(many + 1, 1);
  ASSERT_EQ(call("PUT", organization_path("issues/?id=1&id=2"), R"({"merge":1})").status, 200U);
  ASSERT_EQ(call("DELETE", organization_path("issues/?query=")).status, 204U);
  expect_left(0, 0);
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::events), 0U);
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::event_ids), 0U);
}

TEST_F(ReportsApi, AttachmentsOfNoEventAreNotFound) {
  EXPECT_EQ(get(attachments(event_id_text(99))).status, 404U);
  EXPECT_EQ(get(attachments("nonsense")).status, 404U);
  const auto event = error("ValueError");
  EXPECT_EQ(get(attachments(event)).json.as_array().size(), 0U);
  EXPECT_EQ(get(attachments(event, "1/")).status, 404U);
}

}  // namespace
}  // namespace picket::rest
