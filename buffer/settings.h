// How a room names its section of the configuration: one function
//
//   void bind(Settings& settings, Config& config) {
//     settings.text("listen", config.listen);
//     settings.bytes("max_body_bytes", config.max_body_bytes, 1 << 10, 1 << 30);
//   }
//
// says every key once, with the field behind it and its bounds. Reading a TOML file, overriding from
// the environment (PICKET_<SECTION>_<KEY>, lists as PICKET_<SECTION>_<INDEX>_<KEY>), printing the
// defaults and naming the nearest known key for an unknown one all follow from it.
#pragma once

#include "buffer/clock.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace picket {

class Settings {
 public:
  virtual ~Settings() = default;
  virtual void text(std::string_view key, std::string& field) = 0;
  virtual void flag(std::string_view key, bool& field) = 0;
  virtual void number(std::string_view key, std::uint64_t& field, std::uint64_t least, std::uint64_t most) = 0;
  // "64MiB", "10GiB", "500kB" or a plain number of bytes.
  virtual void bytes(std::string_view key, std::uint64_t& field, std::uint64_t least, std::uint64_t most) = 0;
  // "250ms", "30s", "5m", "12h", "90d".
  virtual void duration(std::string_view key, Duration& field, Duration least, Duration most) = 0;
  virtual void list(std::string_view key, std::vector<std::string>& field) = 0;
  // A table of names: [upstream.projects] with "1" = "https://…".
  virtual void map(std::string_view key, std::vector<std::pair<std::string, std::string>>& field) = 0;
};

}  // namespace picket
