#include "upstream/quarantine_verb.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "upstream/ledger.h"
#include "upstream/stored_state.h"

#include <boost/json.hpp>

#include <charconv>
#include <iomanip>
#include <string>

namespace picket::upstream {
namespace {

namespace json = boost::json;
using buffer::Table;

struct Entry {
  std::string destination;
  schema::Quarantined row;
};

// `name` empty: of all destinations.
template <class Take>
void each_entry(const buffer::Reader& reader, const std::string& name, Take take) {
  const std::string prefix = name.empty() ? std::string() : std::string(buffer::Key().text(name).view());
  auto cursor = reader.cursor(Table::quarantine);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix); there = cursor.next()) {
    const std::string destination(buffer::KeyReader(cursor.key()).text());
    take(Entry{destination, buffer::parse_row<schema::Quarantined>(cursor.value())});
  }
}

ExitCode list(CommandLine& line, const StoredState& stored, const std::string& name) {
  const Time now = SystemClock().now();
  const auto snapshot = stored.tables->snapshot();
  json::array rows;
  std::size_t count = 0;
  each_entry(snapshot, name, [&](const Entry& entry) {
    if (line.json()) {
      rows.push_back(json::object{{"destination", entry.destination},
                                  {"sequence", entry.row.sequence()},
                                  {"project", entry.row.project()},
                                  {"at_ms", entry.row.at_ms()},
                                  {"status", entry.row.status()},
                                  {"answer", entry.row.answer()},
                                  {"bytes", entry.row.bytes()},
                                  {"retry_requested", entry.row.retry_requested()}});
      return;
    }
    if (count++ == 0) line.out << "DESTINATION                SEQUENCE  PROJECT  STATUS     AGE  ANSWER\n";
    line.out << std::left << std::setw(24) << entry.destination << ' ' << std::right << std::setw(10)
             << entry.row.sequence() << std::setw(9) << entry.row.project() << std::setw(8) << entry.row.status()
             << std::setw(8) << render_age(time_from_ms(entry.row.at_ms()), now) << "  "
             << entry.row.answer().substr(0, 120) << (entry.row.retry_requested() ? "  (retry asked for)" : "") << '\n';
  });
  if (line.json()) line.out << json::serialize(rows) << '\n';
  if (!line.json() && count == 0) line.out << "nothing is in quarantine\n";
  return ExitCode::done;
}

// 0 for "all".
std::optional<buffer::Sequence> parse_which(CommandLine& line, const std::string& text) {
  if (text == "all") return 0;
  buffer::Sequence sequence = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
  if (error == std::errc() && end == text.data() + text.size() && sequence > 0) return sequence;
  line.err << "picket: " << text << " is no sequence number; give one of those listed, or all\n";
  return std::nullopt;
}

ExitCode change(CommandLine& line, const StoredState& stored, const std::string& name, bool purge) {
  const auto which = parse_which(line, line.option(purge ? "purge" : "retry"));
  if (!which) return ExitCode::usage;
  std::size_t changed = 0;
  const auto written = stored.tables->write([&](buffer::Batch& batch) {
    std::vector<schema::Quarantined> rows;
    each_entry(batch, name, [&](const Entry& entry) {
      if (*which == 0 || *which == entry.row.sequence()) rows.push_back(entry.row);
    });
    changed = rows.size();
    for (schema::Quarantined& row : rows) {
      const auto key = quarantine_key(name, row.sequence());
      if (purge) {
        batch.remove(Table::quarantine, key);
        continue;
      }
      row.set_retry_requested(true);
      buffer::put_row(batch, Table::quarantine, key, row);
    }
    if (purge || rows.empty()) return;
    // What makes the running forwarder look.
    auto destination = buffer::find_row<schema::Destination>(batch, Table::destinations, name).value_or(schema::Destination());
    destination.set_retry_generation(destination.retry_generation() + 1);
    buffer::put_row(batch, Table::destinations, name, destination);
  });
  if (!written) {
    line.err << "picket: " << written.error().detail << "\n";
    return ExitCode::io;
  }
  if (changed == 0) {
    line.err << "picket: nothing of that in quarantine; `picket upstream quarantine " << name << "` lists it\n";
    return ExitCode::no;
  }
  line.out << changed << (purge ? " removed; they stay counted as quarantined\n" : " will be tried again\n");
  return ExitCode::done;
}

ExitCode run(CommandLine& line) {
  const bool retry = line.has("retry");
  const bool purge = line.has("purge");
  if (line.words.size() > 1 || (retry && purge) || ((retry || purge) && line.words.empty())) {
    line.err << "picket: usage: picket upstream quarantine [NAME] [--retry SEQUENCE|all | --purge SEQUENCE|all]\n";
    return ExitCode::usage;
  }
  const auto stored = open_stored(line);
  if (!stored) return ExitCode::configuration;
  const std::string name = line.words.empty() ? std::string() : line.words[0];
  if (!name.empty() && !require_destination(line, *stored, name)) return ExitCode::no;
  if (retry || purge) return change(line, *stored, name, purge);
  return list(line, *stored, name);
}

}  // namespace

Command quarantine_command() {
  return {"upstream quarantine", "list what destinations have refused for good, with their answers",
          "usage: picket upstream quarantine [NAME] [--json]\n"
          "       picket upstream quarantine NAME --retry SEQUENCE|all\n"
          "       picket upstream quarantine NAME --purge SEQUENCE|all\n\n"
          "--retry sends again (also by a Picket that is running, within a second), --purge forgets.\n"
          "Status 0 marks records that could not be read here.\n\n"
          "example: picket upstream quarantine sentry.example.com --retry all\n",
          {"json"}, {"retry", "purge"}, &run};
}

}  // namespace picket::upstream
