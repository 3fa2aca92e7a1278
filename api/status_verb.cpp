#include "api/status.h"

#include <chrono>
#include <cstdio>
#include <thread>

namespace picket::api {
namespace {

namespace json = boost::json;

constexpr std::string_view help =
    "usage: picket status [--json]\n\n"
    "One screen: what arrives, the journal, how far the digest and each destination are behind.\n"
    "Works beside a running Picket, and without one. Takes one second to measure rates; --json does not.\n\n"
    "Example: picket status --storage /var/lib/picket\n";

std::string in_bytes(double bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text;
}

std::string in_time(double seconds) {
  char text[32];
  if (seconds < 120) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else if (seconds < 7200) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else if (seconds < 172'800) {
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  } else {
    std::snprintf(text, sizeof text, "%.1f d", seconds / 86'400);
  }
  return text;
}

std::uint64_t number(const json::value& value) {
  return value.is_uint64() ? value.get_uint64() : static_cast<std::uint64_t>(value.as_int64());
}

// What was typed by an upstream may hold anything; a terminal gets printable characters only.
std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return result;
}

void print_status_sync(std::ostream& out, const json::object& sync) {
  out << "    status sync (" << std::string_view(sync.at("mode").as_string()) << "): " << std::string_view(sync.at("state").as_string()) << ", "
      << number(sync.at("waiting")) << " waiting, " << number(sync.at("told")) << " told, " << number(sync.at("taken")) << " taken, "
      << number(sync.at("refused")) << " refused\n";
  if (const auto& error = sync.at("last_error").as_string(); !error.empty()) out << "    status sync: " << printable(error) << "\n";
}

void print_budget(std::ostream& out, const json::object& link, std::string_view period) {
  const auto& cap = link.at(std::string(period) + "_cap");
  if (cap.is_null()) return;
  out << "    " << (period == "day" ? "today " : "this month ") << in_bytes(static_cast<double>(number(link.at(std::string(period) + "_bytes")))) << " of "
      << in_bytes(static_cast<double>(number(cap))) << " on the wire\n";
}

void print_estimate(std::ostream& out, const json::object& link) {
  if (const auto* at = link.at("drained_at").if_string()) out << "    nothing will wait any more at about " << std::string_view(*at) << "\n";
}

void print_link(std::ostream& out, const json::object& link) {
  if (const auto* waits = link.at("waits").if_string()) {
    out << "    waits: " << printable(*waits);
    if (const auto* until = link.at("waits_until").if_string()) out << ", until " << std::string_view(*until);
    out << "\n";
  }
  print_budget(out, link, "day");
  print_budget(out, link, "month");
  const auto outlived = number(link.at("outlived"));
  const auto too_old = number(link.at("too_old"));
  if (outlived + too_old > 0) out << "    expired for their age: " << outlived << " by time_to_live, " << too_old << " that the upstream would refuse\n";
}

void print_destination(std::ostream& out, const json::object& destination) {
  out << "  " << printable(destination.at("name").as_string()) << ": "
      << std::string_view(destination.at("state").as_string()) << ", " << number(destination.at("waiting")) << " waiting";
  if (number(destination.at("waiting")) > 0) {
    out << ", the oldest for " << in_time(destination.at("oldest_waiting_s").as_double());
  }
  if (std::string_view(destination.at("mode").as_string()) == "forward-only") out << " (forward-only)";
  if (std::string_view(destination.at("state").as_string()) == "retired") {
    out << "\n    given up: " << number(destination.at("given_up_waiting")) << " waiting, " << number(destination.at("given_up_quarantined"))
        << " in quarantine; `picket upstream release " << printable(destination.at("name").as_string()) << "` starts it anew\n";
    return;
  }
  out << "\n    forwarded " << number(destination.at("forwarded")) << " ("
      << in_bytes(static_cast<double>(number(destination.at("forwarded_bytes")))) << " sent), quarantined "
      << number(destination.at("quarantined")) << ", expired " << number(destination.at("expired"));
  if (const auto left = number(destination.at("not_routed")); left > 0) out << ", not routed " << left;
  if (const auto left = number(destination.at("not_sampled")); left > 0) out << ", not sampled " << left;
  out << "\n";
  out << "    last success " << (destination.at("last_success").is_null() ? std::string("never") : std::string(destination.at("last_success").as_string())) << "\n";
  if (const auto& held = destination.at("held_reason").as_string(); !held.empty()) {
    out << "    held: " << printable(held) << "; `picket upstream resume " << printable(destination.at("name").as_string())
        << "` once it is put right\n";
  } else if (const auto& error = destination.at("last_error").as_string(); !error.empty()) {
    out << "    last error: " << printable(error) << "\n";
  }
  if (const auto* resend = destination.at("resend").if_object()) {
    out << "    resend " << std::string_view(resend->at("state").as_string()) << ": looked at " << number(resend->at("looked_at")) << " of "
        << number(resend->at("records")) << " records, " << number(resend->at("sent")) << " sent, " << number(resend->at("already_there"))
        << " already there\n";
  }
  if (number(destination.at("waiting")) > 0) print_estimate(out, destination.at("link").as_object());
  print_link(out, destination.at("link").as_object());
  if (const auto* sync = destination.at("status_sync").if_object()) print_status_sync(out, *sync);
}

void print_room(std::ostream& out, const json::object& journal) {
  const auto& room = journal.at("room").as_object();
  if (const auto& step = room.at("step").as_string(); step != "ample") {
    const auto* const what = step == "low" ? "low-value categories are refused" : "new envelopes are refused, or the oldest dropped";
    out << "         room is " << std::string_view(step) << ": " << what << "; since "
        << (room.at("since").is_null() ? "?" : std::string_view(room.at("since").as_string())) << "\n";
  }
  for (const auto& name : journal.at("set_aside").as_array())
    out << "         set aside as damaged: " << printable(name.as_string()) << "\n";
}

void print_screen(std::ostream& out, const json::object& before, const json::object& status, double seconds) {
  const auto& journal = status.at("journal").as_object();
  const auto& digest = status.at("digest").as_object();
  const auto& ledger = status.at("ledger").as_object();
  const double arrived = static_cast<double>(number(journal.at("next")) - number(before.at("journal").at("next")));
  const double digested = static_cast<double>(number(digest.at("next")) - number(before.at("digest").at("next")));
  char rates[96];
  std::snprintf(rates, sizeof rates, "%.0f records/s in, %.0f/s digested", arrived / seconds, digested / seconds);
  out << "rates    " << rates << "\n";
  out << "journal  " << number(journal.at("records")) << " records (" << number(journal.at("first")) << " to "
      << number(journal.at("next")) - 1 << "), " << in_bytes(static_cast<double>(number(journal.at("used_bytes")))) << " of "
      << in_bytes(static_cast<double>(number(journal.at("file_bytes")))) << " allocated"
      << (journal.at("full").as_bool() ? ", FULL: new envelopes are refused" : "") << "\n";
  print_room(out, journal);
  out << "digest   " << number(digest.at("waiting")) << " waiting, " << in_time(digest.at("lag_s").as_double()) << " behind\n";
  out << "ledger   received " << number(ledger.at("received")) << " = stored " << number(ledger.at("stored")) << " + dropped "
      << number(ledger.at("dropped")) << "\n";
  for (const auto& [reason, quantity] : ledger.at("reasons").as_object()) {
    out << "           " << printable(reason) << ": " << number(quantity) << "\n";
  }
  out << "upstream";
  const auto& destinations = status.at("destinations").as_array();
  if (destinations.empty()) out << " none configured";
  out << "\n";
  for (const auto& destination : destinations) print_destination(out, destination.as_object());
}

ExitCode run_status(CommandLine& line) {
  const SystemClock clock;
  const auto tables_file = line.storage / "tables.mdb";
  if (!std::filesystem::exists(tables_file)) {
    line.err << "picket status: no data in " << line.storage.string() << "; name the folder with --storage, or create it with `picket init`\n";
    return ExitCode::no;
  }
  const auto tables = buffer::Tables::open({.path = tables_file, .read_only = true});
  if (!tables) {
    line.err << "picket status: " << tables.error().detail << "\n";
    return ExitCode::io;
  }
  const auto look = [&]() -> Result<json::object> {
    const auto snapshot = (*tables)->snapshot();
    const auto journal = buffer::Journal::open({.folder = line.storage / "journal", .read_only = true}, clock);
    if (!journal) return journal.error();
    return collect_status(snapshot, **journal, clock.now());
  };
  const auto status = look();
  if (!status) {
    line.err << "picket status: " << status.error().detail << "\n";
    return ExitCode::io;
  }
  if (line.json()) {
    line.out << json::serialize(*status) << "\n";
    return ExitCode::done;
  }
  const auto began = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const auto later = look();
  if (!later) {
    line.err << "picket status: " << later.error().detail << "\n";
    return ExitCode::io;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  print_screen(line.out, *status, *later, took.count());
  return ExitCode::done;
}

}  // namespace

Command status_command() {
  return {"status", "rates, journal, digest and each destination on one screen", help, {"json"}, {}, &run_status};
}

}  // namespace picket::api
