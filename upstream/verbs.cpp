#include "upstream/verbs.h"

#include "buffer/journal.h"
#include "buffer/rows.h"
#include "upstream/credentials_verb.h"
#include "upstream/ledger.h"
#include "upstream/life_verbs.h"
#include "upstream/quarantine_verb.h"
#include "upstream/status.h"
#include "upstream/stored_state.h"
#include "upstream/sync_book.h"

#include <boost/json.hpp>

#include <iomanip>
#include <memory>
#include <string>

namespace picket::upstream {
namespace {

namespace json = boost::json;
using buffer::Table;

json::value milliseconds(const std::optional<Time>& time) {
  return time ? json::value(to_ms(*time)) : json::value(nullptr);
}

json::value render(const std::optional<SyncStatus>& sync) {
  if (!sync) return nullptr;
  return json::object{{"mode", sync->mode},
                      {"state", sync->state},
                      {"waiting", sync->waiting},
                      {"told", sync->told},
                      {"taken", sync->taken},
                      {"refused", sync->refused},
                      {"last_success_ms", milliseconds(sync->last_success)},
                      {"last_attempt_ms", milliseconds(sync->last_attempt)},
                      {"last_error", sync->last_error}};
}

std::string_view resend_state(const schema::Resend& resend) {
  if (resend.ended_ms() == 0) return "under way";
  return resend.cancelled() ? "given up" : "done";
}

json::value render(const schema::Resend& resend) {
  if (resend.id() == 0) return nullptr;
  return json::object{{"id", resend.id()},
                      {"state", resend_state(resend)},
                      {"from_ms", resend.from_ms()},
                      {"to_ms", resend.to_ms()},
                      {"query", resend.query()},
                      {"again", resend.again()},
                      {"records", resend.end() - resend.first()},
                      {"looked_at", resend.next() - resend.first()},
                      {"sent", resend.sent()},
                      {"already_there", resend.already_there()},
                      {"not_wanted", resend.not_wanted()},
                      {"refused", resend.refused()},
                      {"gone", resend.gone()}};
}

json::object render(const DestinationStatus& status) {
  return {{"name", status.name},
          {"state", state_name(status.state)},
          {"mode", status.forward_only ? "forward-only" : "mirror"},
          {"reason", status.reason},
          {"cursor", status.cursor},
          {"depth", status.depth},
          {"oldest_ms", milliseconds(status.oldest)},
          {"deferred", status.deferred},
          {"forwarded", status.forwarded},
          {"quarantined", status.quarantined},
          {"expired", status.expired},
          {"not_routed", status.not_routed},
          {"not_sampled", status.not_sampled},
          {"forwarded_bytes", status.forwarded_bytes},
          {"resend", render(status.resend)},
          {"waits", status.link.waits},
          {"waits_until_ms", milliseconds(status.link.waits_until)},
          {"day_bytes", status.link.day_bytes},
          {"month_bytes", status.link.month_bytes},
          {"drained_at_ms", milliseconds(status.link.drained_at)},
          {"outlived", status.link.outlived},
          {"too_old", status.link.too_old},
          {"last_success_ms", milliseconds(status.last_success)},
          {"last_attempt_ms", milliseconds(status.last_attempt)},
          {"last_error", status.last_error}};
}

void print(std::ostream& out, const DestinationStatus& status, Time now) {
  out << std::left << std::setw(24) << status.name << ' ' << std::setw(9) << state_name(status.state) << std::right
      << std::setw(10) << status.depth << std::setw(9) << render_age(status.oldest, now) << std::setw(14)
      << render_age(status.last_success, now) << std::setw(12) << status.forwarded << std::setw(12)
      << status.quarantined << std::setw(9) << status.expired << std::setw(12) << status.not_routed << std::setw(13) << status.not_sampled << '\n';
  const std::string& words = status.reason.empty() ? status.last_error : status.reason;
  if (!words.empty()) out << "  last error: " << words << '\n';
  if (const auto& resend = status.resend; resend.id() != 0) {
    out << "  resend " << resend_state(resend) << ": looked at " << resend.next() - resend.first() << " of " << resend.end() - resend.first()
        << " records, " << resend.sent() << " sent, " << resend.already_there() << " already there, " << resend.not_wanted()
        << " not wanted there, " << resend.refused() << " refused, " << resend.gone() << " gone\n";
  }
  if (status.depth > 0 && status.link.drained_at) out << "  done in about " << render_age(now, *status.link.drained_at) << '\n';
  if (!status.link.waits.empty()) {
    out << "  waits: " << status.link.waits;
    if (status.link.waits_until) out << ", for " << render_age(now, *status.link.waits_until);
    out << '\n';
  }
}

void print(std::ostream& out, const SyncStatus& sync, Time now) {
  out << "  status sync (" << sync.mode << "): " << sync.state << ", " << sync.waiting << " waiting, " << sync.told << " told, "
      << sync.taken << " taken, " << sync.refused << " refused, last success " << render_age(sync.last_success, now) << '\n';
  if (!sync.last_error.empty()) out << "  status sync: " << sync.last_error << '\n';
}

ExitCode list(CommandLine& line) {
  const auto stored = open_stored(line);
  if (!stored) return ExitCode::configuration;
  const Time now = SystemClock().now();
  json::array rows;
  if (!line.json()) {
    line.out << "NAME                     STATE         DEPTH   OLDEST  LAST SUCCESS   FORWARDED QUARANTINED  EXPIRED  NOT ROUTED  NOT SAMPLED\n";
  }
  const auto snapshot = stored->tables->snapshot();
  auto cursor = snapshot.cursor(Table::destinations);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const std::string name(cursor.key());
    const auto at = buffer::find_row<schema::Cursor>(snapshot, Table::cursors, cursor_name(name));
    const auto status = stored_status(stored->journal.get(), cursor.value(), at ? at->next_sequence() : 0, now);
    const auto sync = sync_status(snapshot, name);
    if (line.json()) {
      auto row = render(status);
      row["status_sync"] = render(sync);
      rows.push_back(std::move(row));
    } else {
      print(line.out, status, now);
      if (sync) print(line.out, *sync, now);
    }
  }
  if (line.json()) line.out << json::serialize(rows) << '\n';
  return ExitCode::done;
}

ExitCode set_paused(CommandLine& line, bool paused) {
  if (line.words.size() != 1) {
    line.err << "picket: name one destination; `picket upstream ls` lists them\n";
    return ExitCode::usage;
  }
  const auto stored = open_stored(line);
  if (!stored) return ExitCode::configuration;
  const std::string& name = line.words[0];
  if (!require_destination(line, *stored, name)) return ExitCode::no;
  const bool written = change_destination(line, *stored, name, [&](schema::Destination& row) {
    row.set_paused(paused);
    if (!paused) row.set_retry_generation(row.retry_generation() + 1);
  });
  if (!written) return ExitCode::io;
  line.out << name << (paused ? " is paused; `picket upstream resume " + name + "` lets it go on\n"
                              : " goes on; held, limited and failing envelopes are tried at once\n");
  return ExitCode::done;
}

ExitCode pause(CommandLine& line) {
  return set_paused(line, true);
}

ExitCode resume(CommandLine& line) {
  return set_paused(line, false);
}

}  // namespace

std::vector<Command> upstream_commands() {
  return {
      {"upstream ls", "list the destinations: state, backlog, last success and last error",
       "usage: picket upstream ls [--json]\n\n"
       "DEPTH counts the journal records that still wait, OLDEST is the age of the oldest of them.\n"
       "States: running, retrying (not reached, or errs), limited (by the upstream's rate limits),\n"
       "held (401, 403, 404: somebody has to look), closed (by its windows or byte caps), and by you: paused,\n"
       "draining, drained, retired.\n"
       "Where states of issues are synchronised, a line below says how that is doing.\n\n"
       "example: picket upstream ls --json\n",
       {"json"}, {}, &list},
      {"upstream pause", "stop sending to a destination; what arrives waits in the journal",
       "usage: picket upstream pause NAME\n\n"
       "Takes effect within a second, and stays over restarts. Nothing is lost meanwhile, unless the\n"
       "journal's retention passes it by.\n\n"
       "example: picket upstream pause sentry.example.com\n",
       {}, {}, &pause},
      {"upstream resume", "let a paused or held destination go on, and try at once what waits for a retry",
       "usage: picket upstream resume NAME\n\n"
       "Also forgets rate limits and back-off, for when the trouble over there has been mended.\n\n"
       "example: picket upstream resume sentry.example.com\n",
       {}, {}, &resume},
      {"upstream hold", "the same as pause",
       "usage: picket upstream hold NAME\n\n"
       "`picket upstream release NAME` lets it go on.\n\n"
       "example: picket upstream hold sentry.example.com\n",
       {}, {}, &pause},
      release_command(),
      drain_command(),
      retire_command(),
      quarantine_command(),
      credentials_command(),
  };
}

}  // namespace picket::upstream
