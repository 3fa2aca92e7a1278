#include "upstream/life_verbs.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "upstream/ledger.h"
#include "upstream/status.h"
#include "upstream/stored_state.h"

#include <optional>
#include <string>
#include <vector>

namespace picket::upstream {
namespace {

using buffer::Table;

// The one destination that the words name; nothing after saying what is wrong.
std::optional<std::string> named(CommandLine& line) {
  if (line.words.size() == 1) return line.words[0];
  line.err << "picket: name one destination; `picket upstream ls` lists them\n";
  return std::nullopt;
}

ExitCode run_release(CommandLine& line) {
  const auto name = named(line);
  if (!name) return ExitCode::usage;
  const auto stored = open_stored(line);
  if (!stored) return ExitCode::configuration;
  if (!require_destination(line, *stored, *name)) return ExitCode::no;
  bool was_retired = false;
  const bool written = change_destination(line, *stored, *name, [&](schema::Destination& row) {
    was_retired = row.retired_ms() != 0;
    row.set_paused(false);
    row.set_drain_until(0);
    row.set_retired_ms(0);
    row.set_given_up_waiting(0);
    row.set_given_up_quarantined(0);
    row.set_retry_generation(row.retry_generation() + 1);
  });
  if (!written) return ExitCode::io;
  line.out << *name << (was_retired ? " starts anew, as its section says\n" : " goes on, and takes what arrives\n");
  return ExitCode::done;
}

ExitCode run_drain(CommandLine& line) {
  const auto name = named(line);
  if (!name) return ExitCode::usage;
  const auto stored = open_stored(line);
  if (!stored) return ExitCode::configuration;
  if (!require_destination(line, *stored, *name)) return ExitCode::no;
  if (!stored->journal) {
    line.err << "picket: the journal cannot be read, so that nobody knows where to stop\n";
    return ExitCode::io;
  }
  const auto until = stored->journal->use().next;
  bool retired = false;
  const bool written = change_destination(line, *stored, *name, [&](schema::Destination& row) {
    retired = row.retired_ms() != 0;
    if (!retired && row.drain_until() == 0) row.set_drain_until(until);
  });
  if (!written) return ExitCode::io;
  if (retired) {
    line.err << "picket: " << *name << " is retired; there is nothing to send\n";
    return ExitCode::no;
  }
  const auto snapshot = stored->tables->snapshot();
  const auto row = snapshot.get(Table::destinations, *name);
  const auto at = buffer::find_row<schema::Cursor>(snapshot, Table::cursors, cursor_name(*name));
  const auto status = stored_status(stored->journal.get(), row.value_or(""), at ? at->next_sequence() : 0, SystemClock().now());
  line.out << *name << " takes nothing new; " << status.depth << " waiting record(s) are still sent. `picket upstream release " << *name
           << "` undoes it\n";
  return ExitCode::done;
}

// A part at a time, so that the digest can write in between. False after saying why.
bool remove_rows(CommandLine& line, const StoredState& stored, Table table, const std::string& name) {
  constexpr std::size_t at_once = 2'000;
  const std::string prefix(buffer::Key().text(name).view());
  for (bool more = true; more;) {
    const auto written = stored.tables->write([&](buffer::Batch& batch) {
      std::vector<std::string> keys;
      auto cursor = batch.cursor(table);
      for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix) && keys.size() < at_once; there = cursor.next()) {
        keys.emplace_back(cursor.key());
      }
      for (const std::string& key : keys) batch.remove(table, key);
      more = keys.size() == at_once;
    });
    if (!written) {
      line.err << "picket: " << written.error().detail << "; it is retired, run it again to remove the rest\n";
      return false;
    }
  }
  return true;
}

ExitCode run_retire(CommandLine& line) {
  const auto name = named(line);
  if (!name) return ExitCode::usage;
  const auto stored = open_stored(line);
  if (!stored) return ExitCode::configuration;
  if (!require_destination(line, *stored, *name)) return ExitCode::no;
  DestinationStatus status;
  {
    const auto snapshot = stored->tables->snapshot();
    const auto at = buffer::find_row<schema::Cursor>(snapshot, Table::cursors, cursor_name(*name));
    status = stored_status(stored->journal.get(), snapshot.get(Table::destinations, *name).value_or(""), at ? at->next_sequence() : 0,
                           SystemClock().now());
  }
  if (!line.has("yes")) {
    line.err << "picket: this gives up " << status.depth << " waiting record(s) and " << status.quarantined
             << " in quarantine; nothing is changed yet. Add --yes to do it, or drain it first\n";
    return ExitCode::no;
  }
  const auto written = stored->tables->write([&](buffer::Batch& batch) {
    auto old = buffer::find_row<schema::Destination>(batch, Table::destinations, *name).value_or(schema::Destination());
    if (old.retired_ms() != 0) return;
    schema::Destination row;
    row.set_name(*name);
    row.set_retired_ms(to_ms(SystemClock().now()));
    row.set_generation(old.generation() + 1);
    row.set_retry_generation(old.retry_generation());
    row.set_forward_only(old.forward_only());
    row.set_given_up_waiting(status.depth);
    row.set_given_up_quarantined(status.quarantined);
    // What the link has carried was paid for, whoever forgets it.
    row.mutable_link()->set_day(old.link().day());
    row.mutable_link()->set_day_bytes(old.link().day_bytes());
    row.mutable_link()->set_month(old.link().month());
    row.mutable_link()->set_month_bytes(old.link().month_bytes());
    buffer::put_row(batch, Table::destinations, *name, row);
    batch.remove(Table::cursors, cursor_name(*name));
  });
  if (!written) {
    line.err << "picket: " << written.error().detail << "\n";
    return ExitCode::io;
  }
  if (!remove_rows(line, *stored, Table::quarantine, *name) || !remove_rows(line, *stored, Table::forwarding, *name) ||
      !remove_rows(line, *stored, Table::marks, *name)) {
    return ExitCode::io;
  }
  line.out << *name << " is retired: gave up " << status.depth << " waiting record(s) and " << status.quarantined << " in quarantine\n";
  return ExitCode::done;
}

}  // namespace

Command release_command() {
  return {"upstream release", "undo hold, drain or retire: let a destination work again",
          "usage: picket upstream release NAME\n\n"
          "One that was retired starts anew: with the oldest record in the journal, or the next to arrive\n"
          "where its section says backfill = false. What was not taken while it drained stays not taken.\n\n"
          "example: picket upstream release sentry.example.com\n",
          {}, {}, &run_release};
}

Command drain_command() {
  return {"upstream drain", "send a destination what waits, and let it take nothing new",
          "usage: picket upstream drain NAME\n\n"
          "What arrives from now on counts as not routed there. `picket upstream ls` says draining, and\n"
          "drained once all is sent. Stays over restarts.\n\n"
          "example: picket upstream drain sentry.example.com\n",
          {}, {}, &run_drain};
}

Command retire_command() {
  return {"upstream retire", "forget a destination: its cursor, what waits for it, its quarantine, its counters",
          "usage: picket upstream retire NAME [--yes]\n\n"
          "Says how much would be given up; does it with --yes. Events and issues here stay. The journal no\n"
          "longer waits for it. While its section is still in the configuration it is shown as retired.\n\n"
          "example: picket upstream retire sentry.example.com --yes\n",
          {"yes"}, {}, &run_retire};
}

}  // namespace picket::upstream
