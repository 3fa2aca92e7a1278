#include "api/ledger_verb.h"

#include "api/query/ledger.h"
#include "api/rest/ledger.h"
#include "api/verb_support.h"
#include "buffer/journal.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iomanip>
#include <sstream>
#include <thread>

namespace picket::api {
namespace {

namespace json = boost::json;

// A running Picket is a few records ahead of its digest whenever it is busy.
constexpr std::chrono::seconds digest_patience{10};
constexpr std::chrono::milliseconds digest_poll{50};

constexpr std::string_view help =
    "usage: picket ledger [--by WORDS] [--hours N] [--project ID] [--check] [--json] [--storage DIR]\n\n"
    "What became of every item: received = stored + filtered + rate limited + invalid + abuse, and\n"
    "stored = forwarded + waiting + quarantined + expired + not routed + not sampled for each\n"
    "destination. Accepted is what of the stored could be read. Client-discarded is what SDKs say they\n"
    "dropped before sending. Works beside a running Picket.\n\n"
    "  --by WORDS     any of hour,project,key,category, with commas (default: category)\n"
    "  --hours N      the last N hours (default: all that is kept)\n"
    "  --project ID   one project\n"
    "  --check        say whether it balances: exit code 1 when it does not. Waits up to ten seconds for\n"
    "                 records that are not digested yet; exit code 69 when some still are not\n\n"
    "Example: picket ledger --by project,category --hours 24\n";

// Nothing for a word that is none of the four.
std::optional<query::LedgerGrouping> parse_grouping(std::string_view words) {
  query::LedgerGrouping by;
  while (!words.empty()) {
    const auto comma = words.find(',');
    const auto word = words.substr(0, comma);
    words = comma == std::string_view::npos ? std::string_view() : words.substr(comma + 1);
    if (word == "hour") by.hour = true;
    else if (word == "project") by.project = true;
    else if (word == "key") by.key = true;
    else if (word == "category") by.category = true;
    else return std::nullopt;
  }
  return by;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string render_place(const query::LedgerLine& line, const query::LedgerGrouping& by) {
  std::vector<std::string> parts;
  if (by.hour) parts.push_back(relay::render_timestamp(line.hour_ms).substr(0, 13) + "h");
  if (by.project) parts.push_back("project " + std::to_string(line.project));
  if (by.key) parts.push_back(relay::render_hex(line.key));
  if (line.category) parts.emplace_back(relay::wire_name(*line.category));
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : "  ") + part;
  return text.empty() ? "all" : text;
}

using Row = std::vector<std::string>;

// Columns as wide as their widest cell; the first to the left, numbers to the right.
void print_table(std::ostream& out, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out << (i == 0 ? "" : "  ") << (i == 0 ? std::left : std::right) << std::setw(static_cast<int>(widths[i])) << row[i];
    }
    out << '\n';
  }
}

void print_report(std::ostream& out, const query::LedgerReport& report, const query::LedgerGrouping& by) {
  const auto text = [](std::uint64_t number) { return std::to_string(number); };
  std::vector<Row> rows{{"ITEMS", "RECEIVED", "STORED", "ACCEPTED", "FILTERED", "LIMITED", "INVALID", "ABUSE", "CLIENT-DISCARDED"}};
  std::vector<Row> onward{{"DESTINATION", "STORED", "FORWARDED", "WAITING", "QUARANTINED", "EXPIRED", "NOT ROUTED", "NOT SAMPLED"}};
  for (const auto& line : report.lines) {
    const auto place = render_place(line, by);
    rows.push_back({place, text(line.received()), text(line.stored), text(line.accepted), text(line.filtered),
                    text(line.rate_limited), text(line.invalid), text(line.abuse), text(line.client_discarded)});
    for (const auto& [name, fates] : line.destinations) {
      onward.push_back({name + "  " + place, text(line.stored), text(fates.forwarded), text(fates.waiting),
                        text(fates.quarantined), text(fates.expired), text(fates.not_routed), text(fates.not_sampled)});
    }
  }
  print_table(out, rows);
  if (onward.size() > 1) {
    out << '\n';
    print_table(out, onward);
  }
  if (report.undigested > 0) out << "\n" << report.undigested << " records are not digested yet and not in these sums\n";
  if (report.waiting_is_rest) out << "\nmuch is waiting: its share is what is left of stored, not counted\n";
}

ExitCode check(CommandLine& line, const query::LedgerReport& report) {
  if (report.undigested > 0) {
    line.err << "picket ledger: " << report.undigested << " records are still not digested after ten seconds; try again later\n";
    return ExitCode::unavailable;
  }
  const auto wrong = query::check_ledger(report);
  for (const auto& words : wrong) line.out << words << '\n';
  if (!wrong.empty()) return ExitCode::no;
  line.out << "it balances\n";
  return ExitCode::done;
}

ExitCode run(CommandLine& line) {
  query::LedgerRequest request;
  const auto by = parse_grouping(line.option("by", "category"));
  const auto hours = parse_count(line.option("hours", "0"));
  const auto project = parse_count(line.option("project", "0"));
  if (!by || !hours || !project) {
    return rest::fail(line, ExitCode::usage, "--by takes hour,project,key,category; --hours and --project take numbers");
  }
  request.by = *by;
  const SystemClock clock;
  constexpr std::int64_t hour_ms = 3'600'000;
  if (*hours > 0) {
    const auto now_hour = to_ms(clock.now()) / hour_ms;
    request.from_ms = (now_hour - static_cast<std::int64_t>(std::min<std::uint64_t>(*hours, 1'000'000)) + 1) * hour_ms;
  }
  if (*project > 0) request.projects.push_back(*project);

  auto opened = rest::open_tables(line, true);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  const auto& tables = *std::get<std::unique_ptr<buffer::Tables>>(opened);
  const auto patient_until = std::chrono::steady_clock::now() + (line.has("check") ? digest_patience : std::chrono::seconds(0));
  query::LedgerReport report;
  for (;;) {
    // The journal as it is after the snapshot: it holds whatever the tables count.
    const auto snapshot = tables.snapshot();
    const auto journal = buffer::Journal::open({.folder = line.storage / "journal", .read_only = true}, clock);
    if (!journal) return rest::fail(line, ExitCode::io, journal.error().detail);
    report = query::collect_ledger(snapshot, **journal, request);
    if (report.undigested == 0 || std::chrono::steady_clock::now() >= patient_until) break;
    std::this_thread::sleep_for(digest_poll);
  }
  if (line.has("check")) return check(line, report);
  if (!line.json()) {
    print_report(line.out, report, *by);
    return ExitCode::done;
  }
  line.out << json::serialize(rest::render_ledger(report, *by)) << '\n';
  return ExitCode::done;
}

}  // namespace

Command ledger_command() {
  return {"ledger", "what became of every item, from the door to each destination", help, {"json", "check"}, {"by", "hours", "project"}, &run};
}

}  // namespace picket::api
