// The log: one line per happening on standard error, `LEVEL room: words key=value …`.
// Under systemd (JOURNAL_STREAM set) each line starts with the sd-daemon priority, `<3>` to `<7>`.
// The words and keys are part of the interface; docs/operations.md lists those an operator acts on.
//
// Never pass a token, a secret key or a body.
//
// THREADS  log() may be called from any thread; lines never interleave.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace picket {

enum class Level : std::uint8_t { debug, info, warning, error };

class Field {
 public:
  Field(std::string_view name, std::string_view value) : name_(name), value_(value) {}
  Field(std::string_view name, const char* value) : name_(name), value_(value) {}
  Field(std::string_view name, const std::string& value) : name_(name), value_(value) {}
  Field(std::string_view name, std::int64_t value) : name_(name), value_(std::to_string(value)) {}
  Field(std::string_view name, std::uint64_t value) : name_(name), value_(std::to_string(value)) {}
  Field(std::string_view name, int value) : name_(name), value_(std::to_string(value)) {}
  Field(std::string_view name, unsigned value) : name_(name), value_(std::to_string(value)) {}

  std::string_view name() const { return name_; }
  const std::string& value() const { return value_; }

 private:
  std::string_view name_;
  std::string value_;
};

void log(Level level,
         std::string_view room,
         std::string_view words,
         std::initializer_list<Field> fields = {});

// Lines below `level` are not written. Default: info.
void set_log_level(Level level);
// "debug", "info", "warning" or "error".
std::optional<Level> parse_log_level(std::string_view name);

}  // namespace picket
