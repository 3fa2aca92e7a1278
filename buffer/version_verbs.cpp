#include "buffer/schema_number.h"
#include "buffer/version_history.h"

#include <boost/json.hpp>

#include <iomanip>

namespace picket::buffer {
namespace {

ExitCode version_failed(CommandLine& line, ExitCode code, std::string_view words) {
  line.err << "picket: " << words << '\n';
  return code;
}

bool has_data_folder(CommandLine& line) {
  std::error_code failed;
  if (std::filesystem::is_directory(line.storage, failed)) return true;
  version_failed(line, ExitCode::configuration, "no folder " + line.storage.string() + "; name the data folder with --storage");
  return false;
}

boost::json::object render_version(const VersionEntry& entry) {
  return {{"at", entry.at}, {"what", entry.what}, {"version", entry.version}, {"schema", entry.schema}, {"binary", entry.binary}, {"words", entry.words}};
}

ExitCode show_version(CommandLine& line) {
  const auto ours = this_version("", "", Time{});
  if (line.json()) {
    line.out << boost::json::serialize(boost::json::object{{"version", ours.version}, {"schema", schema_number}, {"binary", ours.binary}}) << '\n';
  } else {
    line.out << "picket " << ours.version << " (schema " << schema_number << ", binary " << ours.binary << ")\n";
  }
  return ExitCode::done;
}

ExitCode show_history(CommandLine& line) {
  if (!has_data_folder(line)) return ExitCode::configuration;
  const auto entries = read_version_history(line.storage);
  const auto lock = read_version_lock(line.storage);
  if (line.json()) {
    boost::json::array rows;
    for (const auto& entry : entries) rows.push_back(render_version(entry));
    line.out << boost::json::serialize(boost::json::object{{"history", std::move(rows)}, {"lock", lock ? boost::json::value(render_version(*lock)) : boost::json::value(nullptr)}}) << '\n';
    return ExitCode::done;
  }
  for (const auto& entry : entries) {
    line.out << std::left << std::setw(22) << entry.at << std::setw(17) << entry.what << std::setw(10) << entry.version << "schema " << std::setw(5) << entry.schema
             << entry.binary << (entry.words.empty() ? "" : "  ") << entry.words << '\n';
  }
  if (entries.empty()) line.out << "nothing has run here yet\n";
  if (lock) line.out << "locked to " << lock->version << " (" << lock->binary << ") since " << lock->at << (lock->words.empty() ? "" : ": ") << lock->words << '\n';
  return ExitCode::done;
}

ExitCode lock_it(CommandLine& line) {
  if (!has_data_folder(line)) return ExitCode::configuration;
  if (const auto lock = read_version_lock(line.storage)) {
    return version_failed(line, ExitCode::no, "it is locked already, since " + lock->at + (lock->words.empty() ? "" : ": " + lock->words));
  }
  auto entry = this_version("locked", line.option("reason"), SystemClock().now());
  // What runs is locked, which need not be the binary that is asked to.
  for (const auto& earlier : read_version_history(line.storage)) {
    if (earlier.what != "started") continue;
    entry.version = earlier.version;
    entry.schema = earlier.schema;
    entry.binary = earlier.binary;
  }
  if (const auto locked = lock_version(line.storage, entry); !locked) return version_failed(line, ExitCode::io, locked.error().detail);
  if (line.json()) {
    line.out << boost::json::serialize(render_version(entry)) << '\n';
  } else {
    line.out << "locked to " << entry.version << " (" << entry.binary << "): etc/upgrade.sh refuses until `picket version unlock`\n";
  }
  return ExitCode::done;
}

ExitCode unlock_it(CommandLine& line) {
  if (!has_data_folder(line)) return ExitCode::configuration;
  const auto lock = read_version_lock(line.storage);
  if (!lock) return version_failed(line, ExitCode::no, "it is not locked");
  const auto entry = this_version("unlocked", lock->words, SystemClock().now());
  if (const auto unlocked = unlock_version(line.storage, entry); !unlocked) return version_failed(line, ExitCode::io, unlocked.error().detail);
  if (line.json()) {
    line.out << boost::json::serialize(render_version(entry)) << '\n';
  } else {
    line.out << "unlocked\n";
  }
  return ExitCode::done;
}

}  // namespace

std::vector<Command> version_commands() {
  return {
      {.name = "version",
       .summary = "print version, schema number and the binary's checksum",
       .help = "usage: picket version [--json]\n\nThe checksum tells two builds of one version apart.\n\nExample: picket version --json\n",
       .flags = {"json"},
       .options = {},
       .run = show_version},
      {.name = "version history",
       .summary = "which binary ran when, upgrades and rollbacks",
       .help = "usage: picket version history [--json] [--storage DIR]\n\n"
               "Oldest first: when another binary started, what etc/upgrade.sh did, locks.\n\n"
               "Example: picket version history --storage /var/lib/picket\n",
       .flags = {"json"},
       .options = {},
       .run = show_history},
      {.name = "version lock",
       .summary = "have etc/upgrade.sh refuse to exchange the binary",
       .help = "usage: picket version lock [--reason TEXT] [--json] [--storage DIR]\n\n"
               "Locks the data folder to the binary that started last. etc/upgrade.sh refuses then; a binary that\n"
               "was exchanged without it serves, with a warning in the log. Exit code 1: it is locked already.\n\n"
               "Example: picket version lock --reason 'harvest until October'\n",
       .flags = {"json"},
       .options = {"reason"},
       .run = lock_it},
      {.name = "version unlock",
       .summary = "allow it again",
       .help = "usage: picket version unlock [--json] [--storage DIR]\n\nExit code 1: it is not locked.\n\nExample: picket version unlock\n",
       .flags = {"json"},
       .options = {},
       .run = unlock_it},
  };
}

}  // namespace picket::buffer
