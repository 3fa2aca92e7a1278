#include "api/stream_verbs.h"

#include "api/journal_stream.h"
#include "api/stream_import.h"
#include "buffer/journal_repair.h"
#include "buffer/retention.h"
#include "buffer/schema_number.h"
#include "buffer/storage_lock.h"
#include "relay/protocol/envelope.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <limits>

namespace picket::api {
namespace {

constexpr std::string_view export_help =
    "usage: picket journal export [--from N] [--to N] [--since TIME] [--until TIME] [--project ID]\n"
    "                             [--segment FILE] [--json] [--storage DIR]\n\n"
    "Writes envelopes to standard output as a stream that `picket journal import` takes: lines of JSON, each\n"
    "followed by the envelope as it is stored. What was done is said on standard error. Works while Picket\n"
    "serves. Damaged records are left out and counted, as are those that were dropped for want of room.\n\n"
    "  --from, --to        sequence numbers, both included, as `picket journal ls` has them\n"
    "  --since, --until    when they arrived: 2026-03-01T10:00:00Z; the end is not included\n"
    "  --project ID        of one project only\n"
    "  --segment FILE      out of that file (a segment set aside, *.damaged): what can still be read of it\n\n"
    "Exit code 1: there were damaged records; 74: the output cannot be written.\n\n"
    "Example: picket journal export --since 2026-03-01T00:00:00Z --project 3 > envelopes\n";

constexpr std::string_view import_help =
    "usage: picket journal import [FILE] [--to-project ID] [--json] [--config FILE] --storage DIR\n\n"
    "Takes a stream of `picket journal export` (standard input without FILE) into a Picket that is not\n"
    "running. What is counted as taken was synced to the disk. Events that are here already, by project and\n"
    "event id, are not taken again, nor is anything else with the same time, key and bytes: the same stream\n"
    "can be given again. A broken stream is taken up to where it breaks. Envelopes are stored as they are:\n"
    "filters, scrubbing and quotas were applied where they arrived first.\n\n"
    "  --to-project ID     all of them go to this project, with its first key; else each to the project it\n"
    "                      names, which must be here\n\n"
    "Exit code 0: all of it is here; 1: the stream is broken, or names a project that is not here; 74: the\n"
    "disk refused, or is full; 78: a Picket serves the folder.\n\n"
    "Example: picket journal export --storage ./old | picket journal import --storage ./new\n";

ExitCode said(CommandLine& line, ExitCode code, std::string_view words) {
  line.err << "picket: " << words << '\n';
  return code;
}

// False when the option is there and no number.
bool read_number(const CommandLine& line, const std::string& name, std::uint64_t& number) {
  if (!line.has(name)) return true;
  const auto text = line.option(name);
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && number > 0;
}

bool read_time(const CommandLine& line, const std::string& name, Time& time) {
  if (!line.has(name)) return true;
  const auto parsed = relay::parse_timestamp(line.option(name));
  if (parsed) time = time_from_ms(*parsed);
  return parsed.has_value();
}

struct Wish {
  std::uint64_t from = 1;
  std::uint64_t to = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t project = 0;
  Time since = Time::min();
  Time until = Time::max();

  bool wants(const buffer::StoredRecord& record) const {
    return record.kind == buffer::RecordKind::envelope && record.sequence >= from && record.sequence <= to &&
           (project == 0 || record.project == project) && record.received >= since && record.received < until;
  }
};

class StreamWriter {
 public:
  explicit StreamWriter(std::ostream& out) : out_(out) { out_ << render_stream_head() << '\n'; }
  void write(const buffer::StoredRecord& record) {
    out_ << render_stream_record(record) << '\n';
    out_.write(record.body.data(), static_cast<std::streamsize>(record.body.size()));
    out_ << '\n';
    ++records_;
  }
  // False when not all of it could be written.
  bool end() {
    out_ << render_stream_end(records_) << '\n' << std::flush;
    return out_.good();
  }
  bool good() const { return out_.good(); }
  std::uint64_t records() const { return records_; }

 private:
  std::ostream& out_;
  std::uint64_t records_ = 0;
};

struct LeftOut {
  std::uint64_t damaged = 0;
  std::uint64_t dropped = 0;  // their bodies, for want of room
};

// Writes what is wished, and counts what of it is no more.
void write_wished(const Wish& wish, const buffer::StoredRecord& record, StreamWriter& writer, LeftOut& lost) {
  if (!wish.wants(record)) return;
  if (record.dropped()) {
    ++lost.dropped;
  } else {
    writer.write(record);
  }
}

Result<LeftOut> write_segment(const std::filesystem::path& file, const Wish& wish, StreamWriter& writer) {
  const auto range = buffer::range_of_segment(file);
  if (!range) return range.error();
  LeftOut lost;
  const auto scanned = buffer::scan_segment(file, *range, [&](const buffer::StoredRecord& record) {
    write_wished(wish, record, writer, lost);
    return writer.good();
  });
  if (!scanned) return scanned.error();
  lost.damaged = scanned->broken + scanned->ambiguous;
  return lost;
}

Result<LeftOut> write_journal(const std::filesystem::path& folder, const Wish& wish, StreamWriter& writer) {
  const SystemClock clock;
  const auto journal = buffer::Journal::open({.folder = folder, .read_only = true}, clock);
  if (!journal) return journal.error();
  const auto use = (*journal)->use();
  const auto end = wish.to < use.next ? wish.to + 1 : use.next;
  LeftOut lost;
  for (auto from = std::max(wish.from, use.first); from < end && writer.good();) {
    const auto batch = (*journal)->read(from, std::size_t{8} << 20, 100'000);
    if (!batch) return batch.error();
    for (const auto& record : batch->records) write_wished(wish, record, writer, lost);
    for (const auto sequence : batch->damaged) lost.damaged += sequence < end ? 1U : 0U;
    if (batch->next <= from) break;
    from = batch->next;
  }
  return lost;
}

ExitCode run_export(CommandLine& line) {
  Wish wish;
  if (!line.words.empty()) return said(line, ExitCode::usage, "journal export takes no words; see `picket journal export --help`");
  if (!read_number(line, "from", wish.from) || !read_number(line, "to", wish.to) || !read_number(line, "project", wish.project)) {
    return said(line, ExitCode::usage, "--from, --to and --project take a number from 1 on");
  }
  if (!read_time(line, "since", wish.since) || !read_time(line, "until", wish.until)) {
    return said(line, ExitCode::usage, "--since and --until take a time like 2026-03-01T10:00:00Z");
  }
  const std::filesystem::path segment = line.option("segment");
  if (!segment.empty() && !std::filesystem::is_regular_file(segment)) return said(line, ExitCode::configuration, "no file " + segment.string());
  if (segment.empty() && !std::filesystem::is_directory(line.storage / "journal")) {
    return said(line, ExitCode::configuration, "no journal in " + (line.storage / "journal").string() + "; name the data folder with --storage");
  }
  // A segment that was set aside may come from anywhere.
  const auto readable = segment.empty() ? buffer::check_folder_readable(line.storage) : Result<void>();
  if (!readable) return said(line, ExitCode::configuration, readable.error().detail);
  StreamWriter writer(line.out);
  const auto lost = segment.empty() ? write_journal(line.storage / "journal", wish, writer) : write_segment(segment, wish, writer);
  // Without its end the stream is a broken one, which is what a reader must take it for.
  if (!lost) return said(line, ExitCode::io, lost.error().detail);
  if (!writer.end()) return said(line, ExitCode::io, "the output cannot be written");
  if (line.json()) {
    line.err << boost::json::serialize(boost::json::object{{"records", writer.records()}, {"damaged", lost->damaged}, {"dropped", lost->dropped}}) << '\n';
  } else {
    line.err << "picket: " << writer.records() << " envelopes written, " << lost->damaged << " damaged ones left out";
    if (lost->dropped > 0) line.err << ", " << lost->dropped << " dropped for want of room";
    line.err << '\n';
  }
  return lost->damaged == 0 ? ExitCode::done : ExitCode::no;
}

ExitCode report_import(CommandLine& line, const ImportReport& report) {
  if (line.json()) {
    line.out << boost::json::serialize(boost::json::object{{"taken", report.taken},
                                                           {"taken_bytes", report.taken_bytes},
                                                           {"duplicates", report.duplicates},
                                                           {"last_read", report.last_read},
                                                           {"stopped", report.stopped ? report.stopped->detail : std::string()}})
             << '\n';
  } else {
    line.out << report.taken << " envelopes taken (" << report.taken_bytes << " bytes), " << report.duplicates << " were here already\n";
  }
  if (!report.stopped) return ExitCode::done;
  line.err << "picket: stopped behind record " << report.last_read << " of the stream: " << report.stopped->detail
           << "; what is counted is safe, and giving the stream again goes on from there\n";
  return report.stopped->fault == Fault::unavailable ? ExitCode::io : ExitCode::no;
}

}  // namespace

ExitCode import_stream_into(CommandLine& line, const buffer::StorageConfig& storage) {
  ImportOptions import;
  if (line.words.size() > 1) return said(line, ExitCode::usage, "journal import takes one file, or none for standard input");
  if (!read_number(line, "to-project", import.to_project)) return said(line, ExitCode::usage, "--to-project takes the number of a project");
  std::ifstream file;
  const bool from_file = !line.words.empty() && line.words[0] != "-";
  if (from_file) {
    file.open(line.words[0], std::ios::binary);
    if (!file) return said(line, ExitCode::io, "cannot read " + line.words[0]);
  }
  if (!std::filesystem::exists(std::filesystem::path(storage.path) / "tables.mdb")) {
    return said(line, ExitCode::configuration, "no data of Picket in " + storage.path + "; make it with picket init --storage " + storage.path);
  }
  const auto lock = buffer::StorageLock::take(storage.path);
  if (!lock) return said(line, ExitCode::configuration, lock.error().detail + " for the time of the import");
  const SystemClock clock;
  const auto tables = buffer::Tables::open(buffer::tables_options(storage));
  if (!tables) return said(line, ExitCode::io, tables.error().detail);
  if (const auto checked = buffer::check_schema(**tables, clock.now()); !checked) return said(line, ExitCode::configuration, checked.error().detail);
  auto spool = buffer::Spool::open(buffer::spool_options(storage));
  if (!spool) return said(line, ExitCode::io, spool.error().detail);
  auto options = buffer::journal_options(storage);
  options.spool = *spool;
  options.next_at_least = buffer::greatest_cursor(**tables);
  const auto journal = buffer::Journal::open(options, clock);
  if (!journal) return said(line, ExitCode::io, journal.error().detail);
  StreamReader reader(from_file ? static_cast<std::istream&>(file) : std::cin, {.spool = *spool});
  if (const auto opened = reader.open(); !opened) return said(line, ExitCode::no, opened.error().detail);
  return report_import(line, import_stream(reader, **journal, **tables, import));
}

Command export_command() {
  return {"journal export", "write envelopes as a stream that another Picket can import", export_help,
          {"json"}, {"from", "to", "since", "until", "project", "segment"}, &run_export};
}

Command import_command(ExitCode (*run)(CommandLine& line)) {
  return {"journal import", "take in a stream of `journal export`", import_help, {"json"}, {"to-project"}, run, true};
}

}  // namespace picket::api
