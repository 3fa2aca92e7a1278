// What users said about events: the older user reports of a project or an issue.
#include "api/digest/user_report.h"
#include "api/rest/changes.h"
#include "api/rest/event_view.h"
#include "api/rest/fields.h"
#include "api/rest/issue_render.h"
#include "api/rest/issue_rows.h"
#include "api/rest/user_report_shape.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/dsn.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <future>
#include <memory>

namespace picket::rest {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

// Who wrote it, as far as the report says.
json::object render_user_report(const schema::UserReport& report) {
  const auto event_id = relay::render_hex(report.event_id());
  json::object user{{"id", event_id},
                    {"username", nullptr},
                    {"email", report.email()},
                    {"name", report.name()},
                    {"ipAddress", nullptr},
                    {"avatarUrl", nullptr}};
  return {
      {"id", std::to_string(report.id())},
      {"eventID", event_id},
      {"name", report.name().empty() ? report.email() : report.name()},
      {"email", report.email()},
      {"comments", report.comments()},
      {"dateCreated", render_time(report.created_ms())},
      {"user", std::move(user)},
      {"event", json::object{{"id", event_id}, {"eventID", event_id}}},
      {"issue", nullptr},
  };
}

namespace {

json::object render_with_issue(const Api& api, const Call& call, const buffer::Reader& reader, const schema::UserReport& report) {
  auto shown = render_user_report(report);
  const auto rows = report.issue() == 0 ? std::nullopt : load_issue(reader, call.organization->id(), report.issue());
  if (rows) shown["issue"] = IssueRenderer(api, call, reader).render(*rows, {.listed = false});
  return shown;
}

// With the issue only when it is unresolved, or `status` is given empty.
bool wanted(const buffer::Reader& reader, const Call& call, const schema::UserReport& report) {
  const auto status = call.query.find("status");
  if (!status || status->empty()) return true;
  const auto issue = report.issue() == 0 ? std::nullopt : find_row<schema::Issue>(reader, Table::issues, Key().u64(report.issue()));
  return issue && issue->status() == 0;
}

Reply list_of_project(Api& api, const Call& call) {
  const auto parsed = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  const auto snapshot = api.tables.snapshot();
  json::array list;
  std::size_t seen = 0;
  bool more = false;
  for_each(snapshot, Table::user_reports, Key().u64(call.project->id()), [&](std::string_view, std::string_view bytes) {
    const auto report = buffer::parse_row<schema::UserReport>(bytes);
    if (!wanted(snapshot, call, report) || seen++ < page.offset) return true;
    more = list.size() == page.per_page;
    if (!more) list.push_back(render_with_issue(api, call, snapshot, report));
    return !more;
  });
  const auto count = list.size();
  auto reply = Reply::json(std::move(list));
  add_links(reply, api, call, page, count, more);
  return reply;
}

Reply list_of_issue(Api& api, const Call& call) {
  const auto parsed = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  json::array list;
  std::size_t seen = 0;
  bool more = false;
  for_each(snapshot, Table::user_reports_by_issue, Key().u64(rows->issue.id()), [&](std::string_view rest, std::string_view value) {
    const auto report = find_row<schema::UserReport>(
        snapshot, Table::user_reports, Key().u64(KeyReader(value).u64()).descending(KeyReader(rest).descending()));
    if (!report || seen++ < page.offset) return true;
    more = list.size() == page.per_page;
    if (!more) list.push_back(render_user_report(*report));
    return !more;
  });
  const auto count = list.size();
  auto reply = Reply::json(std::move(list));
  add_links(reply, api, call, page, count, more);
  return reply;
}

// Somebody may correct what they just said; later it stays as it is.
bool is_settled(const buffer::Reader& reader, const digest::NewUserReport& report) {
  constexpr std::int64_t changeable_ms = 5 * 60'000;
  const auto before = digest::find_user_report(reader, report.project, relay::raw_bytes(report.event_id));
  return before && report.at_ms - before->created_ms() > changeable_ms;
}

Reply settled() {
  return Reply::error(409, "Feedback for this event cannot be modified.");
}

// The report as an SDK would have sent it.
std::string render_envelope(const digest::NewUserReport& report) {
  const auto id = relay::render_event_id(report.event_id);
  const auto payload = json::serialize(json::object{
      {"event_id", id}, {"name", report.name}, {"email", report.email}, {"comments", report.comments}});
  return json::serialize(json::object{{"event_id", id}}) + '\n' +
         json::serialize(json::object{{"type", "user_report"}, {"length", payload.size()}}) + '\n' + payload + '\n';
}

// 16 raw bytes: any key of the project stands for it.
std::string key_of(const buffer::Reader& reader, std::uint64_t project) {
  for (const auto& row : keys_of(reader, project)) {
    const auto key = relay::parse_project_key(row.public_key());
    if (key && !row.disabled()) return relay::raw_bytes(*key);
  }
  return {};
}

buffer::Record make_record(const Api& api, const digest::NewUserReport& report) {
  schema::IntakeMeta meta;
  meta.set_event_id(std::string(relay::raw_bytes(report.event_id)));
  meta.add_item_counts(static_cast<std::uint64_t>(relay::DataCategory::user_report));
  meta.add_item_counts(1);
  meta.set_header_fits_key(true);
  buffer::Record record;
  record.received = time_from_ms(report.at_ms);
  record.project = report.project;
  record.key = key_of(api.tables.snapshot(), report.project);
  record.meta = meta.SerializeAsString();
  record.body = render_envelope(report);
  return record;
}

// What is mirrored is the journal. Returns when it is on the disk.
Result<void> make_durable(buffer::Journal& journal, buffer::Record record) {
  const auto done = std::make_shared<std::promise<Result<buffer::Sequence>>>();
  const auto offered = journal.offer(
      std::move(record), [done](const Result<buffer::Sequence>& durable) { done->set_value(durable); });
  if (!offered) return offered.error();
  const auto durable = done->get_future().get();
  if (!durable) return durable.error();
  return {};
}

Reply submit(Api& api, const Call& call) {
  if (call.caller.dsn_project != 0 && call.caller.dsn_project != call.project->id()) return Reply::forbidden();
  Fields fields(call);
  const auto id_text = fields.text("event_id", {.most = 64, .required = true});
  const auto name = fields.text("name", {.most = 128});
  const auto email = fields.text("email", {.most = 75});
  const auto comments = fields.text("comments", {.most = 4096, .required = true});
  const auto event_id = relay::parse_event_id(id_text.value_or(""));
  if (id_text && !event_id) fields.fail("event_id", "Invalid event ID");
  if (email && email->find('@') == std::string::npos) fields.fail("email", "Enter a valid email address.");
  if (auto refusal = fields.refusal()) return *std::move(refusal);
  const digest::NewUserReport said{.project = call.project->id(),
                                   .event_id = *event_id,
                                   .name = name ? std::string_view(*name) : std::string_view(),
                                   .email = email ? std::string_view(*email) : std::string_view(),
                                   .comments = *comments,
                                   .at_ms = to_ms(api.clock.now())};
  if (is_settled(api.tables.snapshot(), said)) return settled();
  if (const auto durable = make_durable(api.journal, make_record(api, said)); !durable)
    return Reply::error(503, "The report cannot be stored now.");
  // The digest will write the same; who asks next need not wait for it.
  schema::UserReport report;
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    if (is_settled(batch, said)) return settled();
    report = digest::put_user_report(batch, said);
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return Reply::json(render_with_issue(api, call, api.tables.snapshot(), report));
}

}  // namespace

std::vector<Route> user_report_routes() {
  const std::vector<std::string_view> read_issues = {"event:read", "event:write", "event:admin"};
  constexpr std::string_view of_project = "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/user-feedback/";
  constexpr std::string_view older_name = "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/user-reports/";
  return {
      {"GET", of_project, {"project:read"}, list_of_project},
      {"POST", of_project, {"project:write", dsn_scope}, submit},
      {"GET", older_name, {"project:read"}, list_of_project},
      {"POST", older_name, {"project:write", dsn_scope}, submit},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/user-reports/", read_issues, list_of_issue},
      {"GET", "/api/0/issues/{issue_id}/user-reports/", read_issues, by_issue<list_of_issue>},
  };
}

}  // namespace picket::rest
