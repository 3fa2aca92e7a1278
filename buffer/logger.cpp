#include "buffer/logger.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace picket {
namespace {

std::atomic<Level> threshold{Level::info};

bool under_journald() {
  static const bool value = std::getenv("JOURNAL_STREAM") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  return value;
}

std::string_view level_name(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  std::abort();
}

std::string_view journald_priority(Level level) {
  switch (level) {
    case Level::debug: return "<7>";
    case Level::info: return "<6>";
    case Level::warning: return "<4>";
    case Level::error: return "<3>";
  }
  std::abort();
}

// Control characters would let a sender forge lines; spaces and quotes are quoted.
void append_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos;
  if (!plain) line += '"';
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      line += '?';
    } else if (!plain && (c == '"' || c == '\\')) {
      line += '\\';
      line += c;
    } else {
      line += c;
    }
  }
  if (!plain) line += '"';
}

}  // namespace

void set_log_level(Level level) {
  threshold = level;
}

std::optional<Level> parse_log_level(std::string_view name) {
  if (name == "debug") return Level::debug;
  if (name == "info") return Level::info;
  if (name == "warning") return Level::warning;
  if (name == "error") return Level::error;
  return std::nullopt;
}

void log(Level level,
         std::string_view room,
         std::string_view words,
         std::initializer_list<Field> fields) {
  if (level < threshold.load(std::memory_order_relaxed)) return;
  std::string line;
  if (under_journald()) line += journald_priority(level);
  line += level_name(level);
  line += ' ';
  line += room;
  line += ": ";
  line += words;
  for (const Field& field : fields) {
    line += ' ';
    line += field.name();
    line += '=';
    append_value(line, field.value());
  }
  line += '\n';
  // One write(2) per line keeps lines whole between threads; a failed write has nowhere to be told.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace picket
