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
#include "buffer/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
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

// A configuration file and the environment, read once; sections are then bound one after another.
//
//   auto document = Configuration::load("/etc/picket/picket.toml", environment);
//   document->section("server", [&](Settings& s) { http::bind(s, config.server); });
//   for (std::size_t i = 0; i < document->count("upstream"); ++i) document->element("upstream", i, …);
//   for (const std::string& problem : document->problems()) …
class Configuration {
 public:
  using Bind = std::function<void(Settings&)>;
  using Environment = std::map<std::string, std::string>;

  // An empty path reads nothing but the environment. Fault::malformed with file, line and column for
  // TOML that does not parse, Fault::not_found for a file that cannot be read.
  static Result<Configuration> load(const std::filesystem::path& file, Environment environment);

  void section(const std::string& name, const Bind& bind);
  std::size_t count(const std::string& name);  // of [[name]], the environment's included
  void element(const std::string& name, std::size_t index, const Bind& bind);

  // What is wrong, one sentence each with its place; empty when all is well. Complete once every
  // section was bound: it is then that unknown keys and sections are known as such.
  std::vector<std::string> problems() const;

  Configuration(Configuration&&) noexcept;
  Configuration& operator=(Configuration&&) noexcept;
  ~Configuration();

 private:
  struct Impl;
  explicit Configuration(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Every PICKET_… variable of this process.
Configuration::Environment picket_environment();

// "10GiB" → bytes; "90d" → milliseconds; nothing when malformed.
Result<std::uint64_t> parse_bytes(std::string_view text);
Result<Duration> parse_duration(std::string_view text);

}  // namespace picket
