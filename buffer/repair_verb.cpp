#include "buffer/repair_verb.h"

#include "buffer/journal_repair.h"
#include "buffer/schema_number.h"
#include "buffer/storage_lock.h"

#include <boost/json.hpp>

#include <string>

namespace picket::buffer {
namespace {

constexpr std::string_view repair_help =
    "usage: picket journal repair [--json] --storage DIR\n\n"
    "Checks every page and record of a journal that nobody serves. A segment whose pages are broken goes\n"
    "back to its state before the last commit when that one is whole; else it is set aside (*.damaged), and\n"
    "what was in it is said: at most which records, and how many of them can still be read. Those come back\n"
    "with `picket journal export --segment FILE.damaged > saved` and `picket journal import saved`. Single\n"
    "damaged records stay where they are, are listed, and are passed over. Nothing is ever deleted.\n"
    "Exit code 0: nothing is lost; 1: something is; 78: a Picket serves the folder.\n\n"
    "Example: picket journal repair --storage /var/lib/picket\n";

boost::json::object render_set_aside(const SetAside& aside) {
  boost::json::object object{{"file", aside.file.string()},
                             {"reason", aside.reason},
                             {"first", aside.range.first},
                             {"readable", aside.readable.records},
                             {"broken", aside.readable.broken},
                             {"ambiguous", aside.readable.ambiguous}};
  const bool known = aside.range.end != ~Sequence{0};
  object["last"] = known ? boost::json::value(aside.range.end - 1) : boost::json::value(nullptr);
  return object;
}

void print_set_aside(std::ostream& out, const SetAside& aside) {
  const bool known = aside.range.end != ~Sequence{0};
  out << aside.file.string() << ": " << aside.reason << "\n  held records " << aside.range.first << " to "
      << (known ? std::to_string(aside.range.end - 1) : "its end, which is not known") << "; " << aside.readable.records
      << " of them can still be read";
  if (aside.readable.broken + aside.readable.ambiguous > 0) {
    out << ", " << aside.readable.broken + aside.readable.ambiguous << " were found broken";
  }
  out << "\n";
  if (aside.readable.records > 0) {
    out << "  to get those back: picket journal export --segment " << aside.file.string() << " > saved; picket journal import saved\n";
  }
}

ExitCode run_repair(CommandLine& line) {
  const auto fail = [&](ExitCode code, std::string_view words) {
    line.err << "picket: " << words << '\n';
    return code;
  };
  if (!line.words.empty()) return fail(ExitCode::usage, "journal repair takes no words; see `picket journal repair --help`");
  if (!std::filesystem::is_directory(line.storage / "journal")) {
    return fail(ExitCode::configuration, "no journal in " + (line.storage / "journal").string() + "; name the data folder with --storage");
  }
  const auto lock = StorageLock::take(line.storage);
  if (!lock) return fail(ExitCode::configuration, lock.error().detail + " (`picket journal verify` works beside it)");
  if (const auto readable = check_folder_readable(line.storage); !readable) return fail(ExitCode::configuration, readable.error().detail);
  const SystemClock clock;
  const auto report = repair_journal(line.storage, clock, [&](const std::string& words) { line.err << "picket: " << words << '\n'; });
  if (!report) return fail(report.error().fault == Fault::unavailable ? ExitCode::io : ExitCode::configuration, report.error().detail);
  const auto& check = report->check;
  const bool lost = !report->set_aside.empty() || !report->before.empty() || check.damaged > 0;
  if (line.json()) {
    boost::json::array now;
    boost::json::array before;
    for (const auto& aside : report->set_aside) now.push_back(render_set_aside(aside));
    for (const auto& aside : report->before) before.push_back(render_set_aside(aside));
    line.out << boost::json::serialize(boost::json::object{{"set_aside", std::move(now)},
                                                           {"set_aside_before", std::move(before)},
                                                           {"went_back", boost::json::value_from(report->went_back)},
                                                           {"records", check.records},
                                                           {"damaged", check.damaged},
                                                           {"first_damaged", boost::json::value_from(check.first_damaged)}})
             << '\n';
    return lost ? ExitCode::no : ExitCode::done;
  }
  for (const auto& file : report->went_back) line.out << file << ": its last commit was broken and is taken back; it is whole again\n";
  for (const auto& aside : report->set_aside) print_set_aside(line.out, aside);
  for (const auto& aside : report->before) print_set_aside(line.out, aside);
  for (const auto sequence : check.first_damaged) line.out << "record " << sequence << " is damaged and is passed over\n";
  line.out << check.records << " records are well, " << check.damaged << " are damaged, " << report->set_aside.size()
           << " segments were set aside now and " << report->before.size() << " before\n";
  return lost ? ExitCode::no : ExitCode::done;
}

}  // namespace

Command repair_command() {
  return {.name = "journal repair",
          .summary = "set aside what is damaged in a journal that nobody serves",
          .help = repair_help,
          .flags = {"json"},
          .options = {},
          .run = run_repair};
}

}  // namespace picket::buffer
