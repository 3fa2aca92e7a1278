#include "api/digest/user_report.h"

#include "buffer/event_ids.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <string>

namespace picket::digest {
namespace {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

Key report_key(std::uint64_t project, std::uint64_t id) {
  return std::move(Key().u64(project).descending(id));
}

std::uint64_t issue_of_event(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_event_id) {
  const auto spot = buffer::find_event_id(reader, project, raw_event_id);
  if (!spot) return 0;
  const auto event = find_row<schema::EventRow>(reader, Table::events, Key().u64(spot->sequence).u16(spot->item));
  return event ? event->issue() : 0;
}

void put(buffer::Batch& batch, const schema::UserReport& row) {
  buffer::put_row(batch, Table::user_reports, report_key(row.project(), row.id()), row);
  if (row.issue() != 0)
    batch.put(Table::user_reports_by_issue, Key().u64(row.issue()).descending(row.id()), Key().u64(row.project()));
}

}  // namespace

schema::UserReport put_user_report(buffer::Batch& batch, const NewUserReport& report) {
  const auto raw_id = relay::raw_bytes(report.event_id);
  auto row = find_user_report(batch, report.project, raw_id).value_or(schema::UserReport());
  if (row.id() == 0) {
    row.set_id(batch.next_number("user_report"));
    row.set_project(report.project);
    row.set_event_id(std::string(raw_id));
    batch.put(Table::user_reports_by_event, Key().u64(report.project).raw(raw_id), Key().u64(row.id()));
  }
  row.set_name(std::string(report.name));
  row.set_email(std::string(report.email));
  row.set_comments(std::string(report.comments));
  row.set_created_ms(report.at_ms);
  if (row.issue() == 0) row.set_issue(issue_of_event(batch, report.project, raw_id));
  put(batch, row);
  return row;
}

std::optional<schema::UserReport> find_user_report(const buffer::Reader& reader,
                                                   std::uint64_t project,
                                                   std::string_view raw_event_id) {
  const auto id = reader.get(Table::user_reports_by_event, Key().u64(project).raw(raw_event_id));
  if (!id) return std::nullopt;
  return find_row<schema::UserReport>(reader, Table::user_reports, report_key(project, KeyReader(*id).u64()));
}

void link_user_report(buffer::Batch& batch,
                      std::uint64_t project,
                      std::string_view raw_event_id,
                      std::uint64_t issue) {
  auto row = find_user_report(batch, project, raw_event_id);
  if (!row || row->issue() != 0) return;
  row->set_issue(issue);
  put(batch, *row);
}

void remove_user_report(buffer::Batch& batch, std::uint64_t project, std::string_view raw_event_id) {
  const auto id = batch.get(Table::user_reports_by_event, Key().u64(project).raw(raw_event_id));
  if (id) remove_user_report(batch, project, KeyReader(*id).u64());
}

void remove_user_report(buffer::Batch& batch, std::uint64_t project, std::uint64_t id) {
  const auto row = find_row<schema::UserReport>(batch, Table::user_reports, report_key(project, id));
  if (!row) return;
  const auto by_event = Key().u64(project).raw(row->event_id());
  if (const auto named = batch.get(Table::user_reports_by_event, by_event); named && KeyReader(*named).u64() == id)
    batch.remove(Table::user_reports_by_event, by_event);
  if (row->issue() != 0) batch.remove(Table::user_reports_by_issue, Key().u64(row->issue()).descending(id));
  batch.remove(Table::user_reports, report_key(project, id));
}

std::uint64_t count_user_reports(const buffer::Reader& reader, std::uint64_t issue) {
  const auto prefix = Key().u64(issue);
  std::uint64_t count = 0;
  auto cursor = reader.cursor(Table::user_reports_by_issue);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix.view()); there = cursor.next())
    ++count;
  return count;
}

}  // namespace picket::digest
