// Sessions into the tables: the row of each, and the counts of the hour in which it began. A row that
// changes takes its old share out of the counts and puts the new one in.
#include "api/digest/batch_writer.h"
#include "api/digest/session_state.h"
#include "api/digest/user_set.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <string>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

std::string counts_key(std::uint64_t project,
                       std::int64_t started_ms,
                       std::string_view release,
                       std::string_view environment) {
  const auto hour = static_cast<std::uint64_t>(hour_of(time_from_ms(started_ms)));
  return std::string(Key().u64(project).u64(hour).text(release).text(environment).view());
}

class SessionWriter {
 public:
  explicit SessionWriter(WriteContext& context) : context_(context), batch_(context.batch) {}

  void run() {
    for (const auto& session : context_.parsed.sessions) {
      if (context_.projects.contains(session.place.project)) write(session);
    }
    for (const auto& aggregate : context_.parsed.session_aggregates) {
      if (context_.projects.contains(aggregate.place.project)) write(aggregate);
    }
    write_rows();
  }

 private:
  schema::SessionRow& row_of(const std::string& key) {
    auto [found, fresh] = rows_.try_emplace(key);
    if (fresh) found->second = buffer::find_row<schema::SessionRow>(batch_, Table::sessions, key).value_or(schema::SessionRow());
    return found->second;
  }
  schema::SessionCounts& counts_of(const std::string& key) {
    auto [found, fresh] = counts_.try_emplace(key);
    if (fresh) found->second = buffer::find_row<schema::SessionCounts>(batch_, Table::session_counts, key).value_or(schema::SessionCounts());
    return found->second;
  }
  void add_user(const std::string& counts_key, UserKind kind, std::uint64_t user) {
    auto key = counts_key;
    key += static_cast<char>(kind);
    auto [found, fresh] = users_.try_emplace(std::move(key));
    auto& [set, changed] = found->second;
    if (fresh) set = UserSet(buffer::find_row<schema::UserSet>(batch_, Table::session_users, found->first).value_or(schema::UserSet()));
    changed = set.add(user) || changed;
  }

  void write(const ParsedSession& session) {
    const auto project = session.place.project;
    const std::string key(Key().u64(project).raw(session.id).view());
    auto& row = row_of(key);
    const bool fresh = row.seen() == 0;
    const auto before = row;
    merge(session.update, row);
    const auto of = counts_key(project, row.started_ms(), row.release(), row.environment());
    auto& counts = counts_of(of);
    count_session(before, false, counts);
    count_session(row, true, counts);
    for (std::uint8_t number = 0; row.user() != 0 && number < user_kinds; ++number) {
      const auto kind = static_cast<UserKind>(number);
      if (in_user_set(row, kind)) add_user(of, kind, row.user());
    }
    if (!fresh) return;
    const auto received = static_cast<std::uint64_t>(session.place.received_ms);
    batch_.put(Table::sessions_by_age, Key().u64(received).raw(key), "");
    context_.sightings.push_back({.project = project,
                                  .release = session.update.release,
                                  .environment = session.update.environment,
                                  .received_ms = session.place.received_ms});
  }

  void write(const SessionAggregate& aggregate) {
    const auto of = counts_key(aggregate.place.project, aggregate.started_ms, aggregate.release, aggregate.environment);
    schema::SessionCounts added;
    added.set_sessions(aggregate.exited + aggregate.errored + aggregate.crashed + aggregate.abnormal + aggregate.unhandled);
    added.set_errored(aggregate.errored);
    added.set_crashed(aggregate.crashed);
    added.set_abnormal(aggregate.abnormal);
    added.set_unhandled(aggregate.unhandled);
    add_counts(added, counts_of(of));
    if (aggregate.user != 0) {
      add_user(of, UserKind::all, aggregate.user);
      if (added.sessions() > aggregate.exited) add_user(of, UserKind::errored, aggregate.user);
      if (aggregate.crashed > 0) add_user(of, UserKind::crashed, aggregate.user);
      if (aggregate.abnormal > 0) add_user(of, UserKind::abnormal, aggregate.user);
      if (aggregate.unhandled > 0) add_user(of, UserKind::unhandled, aggregate.user);
    }
    context_.sightings.push_back({.project = aggregate.place.project,
                                  .release = aggregate.release,
                                  .environment = aggregate.environment,
                                  .received_ms = aggregate.place.received_ms});
  }

  void write_rows() {
    for (const auto& [key, row] : rows_)
      buffer::put_row(batch_, Table::sessions, key, row);
    for (const auto& [key, counts] : counts_)
      buffer::put_row(batch_, Table::session_counts, key, counts);
    for (const auto& [key, state] : users_) {
      if (state.second) buffer::put_row(batch_, Table::session_users, key, state.first.row());
    }
  }

  WriteContext& context_;
  buffer::Batch& batch_;
  // By key, as the tables have them.
  std::map<std::string, schema::SessionRow> rows_;
  std::map<std::string, schema::SessionCounts> counts_;
  std::map<std::string, std::pair<UserSet, bool>> users_;
};

}  // namespace

void write_sessions(WriteContext& context) {
  SessionWriter(context).run();
}

}  // namespace picket::digest
