#include "buffer/verbs.h"

#include "buffer/backup.h"
#include "buffer/journal.h"
#include "buffer/repair_verb.h"
#include "buffer/schema_number.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <iomanip>
#include <memory>
#include <optional>
#include <string>

namespace picket::buffer {
namespace {

namespace json = boost::json;

constexpr std::size_t shown_bytes = 4096;

ExitCode refuse(CommandLine& line, const Error& error) {
  line.err << "picket: " << error.detail << '\n';
  switch (error.fault) {
    case Fault::malformed:
    case Fault::too_large:
    case Fault::not_found: return ExitCode::configuration;
    case Fault::unavailable: return ExitCode::io;
    case Fault::corrupt: return ExitCode::no;
  }
  std::abort();
}

ExitCode wrong_usage(CommandLine& line, std::string_view words) {
  line.err << "picket: " << words << '\n';
  return ExitCode::usage;
}

Progress progress_of(CommandLine& line) {
  return [&line](const std::string& words) { line.err << "picket: " << words << '\n'; };
}

Result<std::unique_ptr<Journal>> open_journal(const CommandLine& line, const Clock& clock) {
  if (auto readable = check_folder_readable(line.storage); !readable) return readable.error();
  return Journal::open({.folder = line.storage / "journal", .read_only = true}, clock);
}

std::string render_time(Time time) {
  if (to_ms(time) == 0) return "-";
  const std::time_t seconds = static_cast<std::time_t>(to_ms(time) / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string render_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += digits[static_cast<unsigned char>(byte) >> 4];
    hex += digits[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

// As `xxd`: offset, sixteen bytes, and what of them is printable ASCII.
void print_dump(std::ostream& out, std::string_view bytes) {
  for (std::size_t at = 0; at < std::min(bytes.size(), shown_bytes); at += 16) {
    const auto row = bytes.substr(at, std::min<std::size_t>(16, shown_bytes - at));
    std::array<char, 24> offset{};
    std::snprintf(offset.data(), offset.size(), "  %08zx  ", at);
    std::string text;
    std::string hex;
    for (const char byte : row) {
      hex += render_hex({&byte, 1}) + " ";
      text += byte >= 0x20 && byte < 0x7f ? byte : '.';
    }
    out << offset.data() << std::left << std::setw(49) << hex << text << '\n';
  }
  if (bytes.size() > shown_bytes) {
    out << "  … " << bytes.size() - shown_bytes << " more bytes; --raw writes all of them\n";
  }
}

ExitCode list(CommandLine& line) {
  if (!line.words.empty()) return wrong_usage(line, "journal ls takes no arguments");
  const SystemClock clock;
  const auto journal = open_journal(line, clock);
  if (!journal) return refuse(line, journal.error());
  const auto use = (*journal)->use();
  const auto segments = (*journal)->segments();
  if (line.json()) {
    json::array rows;
    for (const auto& segment : segments) {
      rows.push_back({{"file", segment.path.filename().string()},
                      {"first", segment.first},
                      {"last", segment.last},
                      {"oldest_ms", to_ms(segment.oldest)},
                      {"newest_ms", to_ms(segment.newest)},
                      {"file_bytes", segment.file_bytes},
                      {"used_bytes", segment.used_bytes},
                      {"bytes_before", segment.bytes_before}});
    }
    line.out << json::serialize(json::object{{"first", use.first},
                                             {"next", use.next},
                                             {"file_bytes", use.file_bytes},
                                             {"used_bytes", use.used_bytes},
                                             {"segments", std::move(rows)}})
             << '\n';
    return ExitCode::done;
  }
  line.out << "SEGMENT                             FIRST        LAST  OLDEST                NEWEST"
              "                    USED MiB   FILE MiB  WAS MiB\n";
  for (const auto& segment : segments) {
    line.out << std::left << std::setw(31) << segment.path.filename().string() << std::right
             << std::setw(10) << segment.first << std::setw(12)
             << (segment.last == 0 ? std::string("-") : std::to_string(segment.last)) << "  "
             << std::left << std::setw(22) << render_time(segment.oldest) << std::setw(22)
             << render_time(segment.newest) << std::right << std::fixed << std::setprecision(1)
             << std::setw(12) << static_cast<double>(segment.used_bytes) / 1048576.0 << std::setw(11)
             << static_cast<double>(segment.file_bytes) / 1048576.0 << std::setw(9);
    if (segment.bytes_before > 0) {
      line.out << static_cast<double>(segment.bytes_before) / 1048576.0 << '\n';
    } else {
      line.out << '-' << '\n';
    }
  }
  line.out << "records " << use.first << " to " << use.next - 1 << ", "
           << static_cast<double>(use.file_bytes) / 1048576.0 << " MiB on disk\n";
  return ExitCode::done;
}

std::optional<Sequence> parse_sequence(const std::string& text) {
  Sequence sequence = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), sequence);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole ? std::optional(sequence) : std::nullopt;
}

void print_record(CommandLine& line, const StoredRecord& record) {
  if (line.json()) {
    line.out << json::serialize(json::object{{"sequence", record.sequence},
                                             {"kind", static_cast<unsigned>(record.kind)},
                                             {"coding", record.coding},
                                             {"flags", record.flags},
                                             {"received_ms", to_ms(record.received)},
                                             {"project", record.project},
                                             {"key", render_hex(record.key)},
                                             {"meta_hex", render_hex(record.meta)},
                                             {"body_bytes", record.body.size()},
                                             {"body_hex", render_hex(record.body)}})
             << '\n';
    return;
  }
  line.out << "sequence  " << record.sequence << "\nkind      "
           << (record.kind == RecordKind::envelope ? "envelope" : "outcomes") << "\ncoding    "
           << unsigned{record.coding} << "\nflags     " << unsigned{record.flags} << "\nreceived  "
           << render_time(record.received) << "\nproject   " << record.project << "\nkey       "
           << render_hex(record.key) << "\nmeta      " << record.meta.size() << " bytes\n";
  print_dump(line.out, record.meta);
  if (record.dropped()) {
    line.out << "body      dropped for want of room\n";
    return;
  }
  line.out << "body      " << record.body.size() << " bytes\n";
  print_dump(line.out, record.body);
}

ExitCode show(CommandLine& line) {
  const auto sequence = line.words.size() == 1 ? parse_sequence(line.words[0]) : std::nullopt;
  if (!sequence) return wrong_usage(line, "journal show takes the sequence number of a record, as `journal ls` has them");
  const SystemClock clock;
  const auto journal = open_journal(line, clock);
  if (!journal) return refuse(line, journal.error());
  const auto batch = (*journal)->read_one(*sequence);
  if (!batch) {
    line.err << "picket: " << batch.error().detail << '\n';
    return batch.error().fault == Fault::unavailable ? ExitCode::io : ExitCode::no;
  }
  if (line.has("raw")) {
    line.out << batch->records[0].body;
  } else {
    print_record(line, batch->records[0]);
  }
  return ExitCode::done;
}

json::object render(const JournalCheck& check) {
  return {{"records", check.records},
          {"body_bytes", check.body_bytes},
          {"damaged", check.damaged},
          {"first_damaged", json::value_from(check.first_damaged)},
          {"first", check.first},
          {"next", check.next}};
}

void print(std::ostream& out, const JournalCheck& check) {
  out << check.records << " records (" << check.first << " to " << check.next - 1 << "), "
      << check.body_bytes << " bytes, " << check.damaged << " damaged\n";
  for (const auto sequence : check.first_damaged) out << "damaged: " << sequence << '\n';
}

ExitCode verify(CommandLine& line) {
  if (!line.words.empty()) return wrong_usage(line, "journal verify takes no arguments");
  const SystemClock clock;
  const auto journal = open_journal(line, clock);
  if (!journal) return refuse(line, journal.error());
  const auto check = check_journal(**journal, progress_of(line));
  if (!check) return refuse(line, check.error());
  const auto set_aside = (*journal)->set_aside().size();
  if (line.json()) {
    auto object = render(*check);
    object["set_aside"] = set_aside;
    line.out << json::serialize(object) << '\n';
  } else {
    print(line.out, *check);
    if (set_aside > 0) line.out << set_aside << " damaged segments are set aside (*.damaged)\n";
  }
  return check->damaged == 0 && set_aside == 0 ? ExitCode::done : ExitCode::no;
}

ExitCode run_backup(CommandLine& line) {
  if (line.words.size() != 1) return wrong_usage(line, "backup takes the folder to be made");
  const auto counts = back_up(line.storage, line.words[0], progress_of(line));
  if (!counts) return refuse(line, counts.error());
  if (line.json()) {
    line.out << json::serialize(json::object{{"target", line.words[0]},
                                             {"table_bytes", counts->table_bytes},
                                             {"segments", counts->segments},
                                             {"journal_bytes", counts->journal_bytes}})
             << '\n';
  } else {
    line.out << line.words[0] << ": tables " << counts->table_bytes << " bytes, journal " << counts->journal_bytes
             << " bytes in " << counts->segments << " segments\n";
  }
  return ExitCode::done;
}

ExitCode run_restore(CommandLine& line) {
  if (line.words.size() != 1) return wrong_usage(line, "restore takes the folder of a backup");
  if (!line.has("storage")) {
    return wrong_usage(line, "restore needs --storage DIR: the folder to be made, which no Picket uses yet");
  }
  const SystemClock clock;
  const auto counts = restore(line.words[0], line.storage, clock, progress_of(line));
  if (!counts) return refuse(line, counts.error());
  if (line.json()) {
    line.out << json::serialize(json::object{{"storage", line.storage.string()},
                                             {"tables", counts->tables},
                                             {"rows", counts->rows},
                                             {"segments", counts->segments},
                                             {"journal", render(counts->journal)}})
             << '\n';
  } else {
    line.out << line.storage.string() << ": " << counts->rows << " rows in " << counts->tables << " tables, "
             << counts->segments << " segments\n";
    print(line.out, counts->journal);
  }
  return counts->journal.damaged == 0 ? ExitCode::done : ExitCode::no;
}

}  // namespace

std::vector<Command> buffer_commands() {
  return {
      {.name = "journal ls",
       .summary = "list the journal's segments",
       .help = "usage: picket journal ls [--json] [--storage DIR]\n\n"
               "Lists the segments of the journal with the records they hold. WAS: what a segment took before idle\n"
               "time recompressed it ([storage] recompress). Works while Picket serves.\n\n"
               "Example: picket journal ls --storage ./data\n",
       .flags = {"json"},
       .options = {},
       .run = list},
      {.name = "journal show",
       .summary = "show one record of the journal",
       .help = "usage: picket journal show SEQUENCE [--raw | --json] [--storage DIR]\n\n"
               "Shows what is known of a record, its meta and its body as bytes. --raw writes the body alone,\n"
               "as it is stored: without a coding (0) once its segment was recompressed. Exit code 1: there is no such record, or it is damaged.\n\n"
               "Example: picket journal show 1017 --raw > envelope\n",
       .flags = {"json", "raw"},
       .options = {},
       .run = show},
      {.name = "journal verify",
       .summary = "check every record of the journal",
       .help = "usage: picket journal verify [--json] [--storage DIR]\n\n"
               "Reads every record and checks its checksum. Works while Picket serves. Exit code 1: some are\n"
               "damaged, or damaged segments are set aside.\n\n"
               "Example: picket journal verify && echo all is well\n",
       .flags = {"json"},
       .options = {},
       .run = verify},
      repair_command(),
      {.name = "backup",
       .summary = "copy all data into a new folder, while Picket serves",
       .help = "usage: picket backup TARGET_DIR [--json] [--storage DIR]\n\n"
               "Copies the tables, then the journal. TARGET_DIR must not exist or be empty. The file with the\n"
               "API token is not copied: `picket token` makes a new one after a restore.\n\n"
               "Example: picket backup /mnt/backup/$(date +%F)\n",
       .flags = {"json"},
       .options = {},
       .run = run_backup},
      {.name = "restore",
       .summary = "put a backup back into a new folder and check it",
       .help = "usage: picket restore SOURCE_DIR --storage DIR [--json]\n\n"
               "Copies a backup into DIR, which must not exist or be empty, checks every record and the tables,\n"
               "and prints what there is. Run it as the user that will serve. Exit code 1: restored, but some\n"
               "records were damaged in the backup.\n\n"
               "Example: picket restore /mnt/backup/2024-05-01 --storage ./data\n",
       .flags = {"json"},
       .options = {},
       .run = run_restore},
  };
}

}  // namespace picket::buffer
