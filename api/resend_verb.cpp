#include "api/resend_verb.h"

#include "api/query/condition.h"
#include "api/query/search_language.h"
#include "api/rest/event_filter.h"
#include "api/rest/event_view.h"
#include "api/rest/router.h"
#include "api/verb_support.h"
#include "buffer/journal.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "buffer/sequence_marks.h"
#include "relay/protocol/dsn.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace picket::api {
namespace {

using buffer::Mark;
using buffer::Sequence;
using buffer::Table;

constexpr std::string_view resend_help =
    "usage: picket upstream resend --from TIME --to TIME --to-destination NAME\n"
    "                              [--project ID[,ID…]] [--query QUERY] [--again]\n"
    "       picket upstream resend --cancel --to-destination NAME\n\n"
    "Sends what was received in that time to a destination, also one that is new. What it has\n"
    "acknowledged already is passed over. A running Picket does it behind what arrives, goes on after a\n"
    "restart, and shows in `picket upstream ls` how far it is; one at a time for each destination.\n\n"
    "  --from, --to   2026-01-31T12:00:00Z, seconds since 1970, how long ago (90m, 3h, 2d), or now\n"
    "  --project      only these\n"
    "  --query        only envelopes with an event that it finds, as in the API's lists of events\n"
    "  --again        also what it has acknowledged\n"
    "  --cancel       give up the one under way\n\n"
    "example: picket upstream resend --from 3h --to now --query level:fatal --to-destination hub\n";

struct Wanted {
  std::string destination;
  Time from{};
  Time to{};
  std::vector<std::uint64_t> projects;
  std::string query;
  bool again = false;

  bool takes(std::uint64_t project) const {
    return projects.empty() || std::find(projects.begin(), projects.end(), project) != projects.end();
  }
};

std::optional<Time> parse_moment(const std::string& text, Time now) {
  if (text == "now") return now;
  const bool is_period = text.size() > 1 && std::string_view("smhdw").find(text.back()) != std::string_view::npos;
  if (is_period) {
    const auto ago = rest::parse_stats_period(text);
    return ago ? std::optional(now - *ago) : std::nullopt;
  }
  const auto ms = relay::parse_timestamp(text);
  return ms ? std::optional(time_from_ms(*ms)) : std::nullopt;
}

// Nothing after saying what is wrong.
std::optional<Wanted> parse_wanted(CommandLine& line, Time now) {
  const auto wrong = [&](const std::string& words) {
    rest::fail(line, ExitCode::usage, words + "; see `picket upstream resend --help`");
    return std::nullopt;
  };
  if (!line.words.empty()) return wrong("\"" + line.words[0] + "\" belongs to no option");
  Wanted wanted;
  wanted.destination = line.option("to-destination");
  if (wanted.destination.empty()) return wrong("name the destination with --to-destination");
  if (line.has("cancel")) return wanted;
  for (const auto& [option, field] : {std::pair("from", &wanted.from), std::pair("to", &wanted.to)}) {
    const auto moment = parse_moment(line.option(option), now);
    if (!moment) return wrong(std::string("--") + option + " needs a time, and \"" + line.option(option).substr(0, 100) + "\" is none");
    *field = *moment;
  }
  if (wanted.from >= wanted.to) return wrong("--from must be before --to");
  std::string list = line.option("project");
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto id = relay::parse_project_id(list.substr(0, comma));
    if (!id) return wrong("--project takes ids with commas between them");
    wanted.projects.push_back(*id);
    list = comma == std::string::npos ? std::string() : list.substr(comma + 1);
  }
  if (line.has("project") && wanted.projects.empty()) return wrong("--project takes ids with commas between them");
  wanted.query = line.option("query");
  wanted.again = line.has("again");
  return wanted;
}

bool asks_for_states(const query::Condition& condition) {
  return condition.kind == query::ConditionKind::is || std::any_of(condition.parts.begin(), condition.parts.end(), asks_for_states);
}

// Sequences that may hold records of that time, as [first, second).
std::pair<Sequence, Sequence> find_range(const buffer::Journal& journal, const Wanted& wanted) {
  const auto use = journal.use();
  Sequence first = use.next;
  Sequence end = use.first;
  const auto segments = journal.segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& segment = segments[i];
    const Sequence segment_end = i + 1 < segments.size() ? segments[i + 1].first : use.next;
    const bool unknown = to_ms(segment.newest) == 0;
    if (segment.first == 0 || (!unknown && (segment.newest < wanted.from || segment.oldest >= wanted.to))) continue;
    first = std::min(first, segment.first);
    end = std::max(end, segment_end);
  }
  return {std::max(first, use.first), std::min(end, use.next)};
}

// Marks the records with an event that the query finds, a part at a time: neither memory nor the
// tables' other users feel how many there are.
class Picker {
 public:
  Picker(rest::Api& api, const Wanted& wanted, rest::EventFilter filter) : api_(api), wanted_(wanted), filter_(std::move(filter)) {}

  Result<std::uint64_t> pick(Sequence first, Sequence end) {
    for (bool more = true; more;) {
      auto removed = api_.tables.write([&](buffer::Batch& batch) { more = !buffer::remove_marks(batch, wanted_.destination, Mark::picked, rows_at_once); });
      if (!removed) return removed.error();
    }
    std::uint64_t picked = 0;
    std::string at(buffer::Key().u64(first).u16(0).view());
    while (!at.empty()) {
      buffer::MarkChanges marks;
      at = pick_part(at, end, marks, picked);
      if (marks.empty()) continue;
      auto written = api_.tables.write([&](buffer::Batch& batch) { marks.apply(batch, wanted_.destination, 0); });
      if (!written) return written.error();
    }
    return picked;
  }

 private:
  static constexpr std::size_t rows_at_once = 1'000;

  // Where to go on, empty at the end.
  std::string pick_part(const std::string& from, Sequence end, buffer::MarkChanges& marks, std::uint64_t& picked) {
    const auto snapshot = api_.tables.snapshot();
    auto cursor = snapshot.cursor(Table::events);
    std::size_t looked_at = 0;
    for (bool there = cursor.seek(from); there; there = cursor.next()) {
      buffer::KeyReader key(cursor.key());
      const Sequence sequence = key.u64();
      const auto item = key.u16();
      if (sequence >= end) return {};
      if (looked_at++ == rows_at_once) return std::string(cursor.key());
      if (sequence == last_picked_) continue;
      const auto row = buffer::parse_row<schema::EventRow>(cursor.value());
      const auto received = time_from_ms(row.received_ms());
      if (!wanted_.takes(row.project()) || received < wanted_.from || received >= wanted_.to) continue;
      const auto view = rest::load_event(api_, snapshot, {row.project(), sequence, item});
      if (!view || !rest::passes(filter_, *view)) continue;
      marks.set(Mark::picked, sequence);
      last_picked_ = sequence;
      ++picked;
    }
    return {};
  }

  rest::Api& api_;
  const Wanted& wanted_;
  rest::EventFilter filter_;
  Sequence last_picked_ = 0;
};

// Nothing after saying why it cannot be.
std::optional<schema::Destination> find_ready(CommandLine& line, const buffer::Tables& tables, const std::string& name) {
  const auto row = buffer::find_row<schema::Destination>(tables.snapshot(), Table::destinations, name);
  if (!row) {
    rest::fail(line, ExitCode::no, "there is no destination called " + name + "; `picket upstream ls` lists them, and a new [[upstream]] is there once Picket has read it");
    return std::nullopt;
  }
  if (row->retired_ms() != 0 || row->drain_until() != 0) {
    rest::fail(line, ExitCode::no, name + (row->retired_ms() != 0 ? " is retired" : " drains") + "; `picket upstream release " + name + "` lets it work again");
    return std::nullopt;
  }
  return row;
}

bool is_under_way(const schema::Resend& resend) {
  return resend.id() != 0 && resend.ended_ms() == 0;
}

ExitCode cancel(CommandLine& line, buffer::Tables& tables, const std::string& name) {
  bool found = false;
  const auto written = tables.write([&](buffer::Batch& batch) {
    auto row = buffer::find_row<schema::Destination>(batch, Table::destinations, name).value_or(schema::Destination());
    found = is_under_way(row.resend());
    if (!found) return;
    row.mutable_resend()->set_cancelled(true);
    buffer::put_row(batch, Table::destinations, name, row);
  });
  if (!written) return rest::fail(line, ExitCode::io, written.error().detail);
  if (!found) return rest::fail(line, ExitCode::no, "no resend to " + name + " is under way");
  line.out << "the resend to " << name << " is given up; what was sent stays sent\n";
  return ExitCode::done;
}

ExitCode ask(CommandLine& line, rest::Api& api, const Wanted& wanted, const schema::Destination& before) {
  const Time now = api.clock.now();
  auto condition = query::parse_condition(wanted.query, query::issue_language(), now);
  if (!condition) return rest::fail(line, ExitCode::usage, "--query: " + condition.error().detail);
  if (asks_for_states(*condition)) return rest::fail(line, ExitCode::usage, "--query: is: asks for states of issues; a resend looks at events");
  const auto [first, end] = find_range(api.journal, wanted);
  if (first >= end) return rest::fail(line, ExitCode::no, "the journal holds nothing that was received in that time");

  schema::Resend resend;
  resend.set_id(before.resend().id() + 1);
  resend.set_from_ms(to_ms(wanted.from));
  resend.set_to_ms(to_ms(wanted.to));
  for (const auto project : wanted.projects) resend.add_projects(project);
  resend.set_query(wanted.query);
  resend.set_again(wanted.again);
  resend.set_first(first);
  resend.set_next(first);
  resend.set_end(end);
  resend.set_asked_ms(to_ms(now));
  std::uint64_t picked = 0;
  if (!condition->empty()) {
    auto found = Picker(api, wanted, {*std::move(condition), {}, now}).pick(first, end);
    if (!found) return rest::fail(line, ExitCode::io, found.error().detail);
    picked = *found;
    resend.set_picked(true);
    if (picked == 0) return rest::fail(line, ExitCode::no, "the query finds no event that was received in that time");
  }
  bool overtaken = false;
  const auto written = api.tables.write([&](buffer::Batch& batch) {
    auto row = buffer::find_row<schema::Destination>(batch, Table::destinations, wanted.destination).value_or(schema::Destination());
    overtaken = row.resend().id() != before.resend().id();
    if (overtaken) return;
    *row.mutable_resend() = resend;
    buffer::put_row(batch, Table::destinations, wanted.destination, row);
  });
  if (!written) return rest::fail(line, ExitCode::io, written.error().detail);
  if (overtaken) return rest::fail(line, ExitCode::no, "another resend to " + wanted.destination + " was asked for meanwhile");
  line.out << "asked for: " << (resend.picked() ? std::to_string(picked) + " envelopes that the query finds among " : std::string()) << end - first
           << " records are looked at; `picket upstream ls` shows how far it is\n";
  return ExitCode::done;
}

ExitCode run_resend(CommandLine& line) {
  const SystemClock clock;
  const auto wanted = parse_wanted(line, clock.now());
  if (!wanted) return ExitCode::usage;
  std::error_code ignored;
  if (!std::filesystem::exists(line.storage / "tables.mdb", ignored)) {
    return rest::fail(line, ExitCode::configuration, "no data in " + line.storage.string() + "; name its folder with --storage DIR");
  }
  auto opened = rest::open_tables(line, false);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  buffer::Tables& tables = *std::get<std::unique_ptr<buffer::Tables>>(opened);
  const auto row = find_ready(line, tables, wanted->destination);
  if (!row) return ExitCode::no;
  if (line.has("cancel")) return cancel(line, tables, wanted->destination);
  if (is_under_way(row->resend())) {
    return rest::fail(line, ExitCode::no, "a resend to " + wanted->destination + " is under way; --cancel gives it up");
  }
  const auto journal = buffer::Journal::open({.folder = line.storage / "journal", .read_only = true}, clock);
  if (!journal) return rest::fail(line, ExitCode::io, journal.error().detail);
  rest::Api api{tables, **journal, clock, {}};
  return ask(line, api, *wanted, *row);
}

}  // namespace

Command resend_command() {
  return {"upstream resend", "send a range of time, or what a query finds, to a destination once more", resend_help, {"again", "cancel"},
          {"from", "to", "project", "query", "to-destination"}, &run_resend};
}

}  // namespace picket::api
