// Where an address is, by a MaxMind database (GeoLite2-City and its kin) that the operator names.
//
// THREADS  A GeoLookup is immutable and may be asked from any thread. GeoSource hands out the present
//          one; it changes whole when the file is read anew.
#pragma once

#include "buffer/result.h"

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace picket::digest {

struct GeoPlace {
  std::string country_code;  // "AT"
  std::string city;          // in English
  std::string subdivision;
  std::string region;  // the country's name
};

class GeoLookup {
 public:
  // Fault::unavailable with the reason when the file cannot be read, Fault::corrupt when it is no
  // such database.
  static Result<std::shared_ptr<const GeoLookup>> open(const std::filesystem::path& file);
  ~GeoLookup();
  GeoLookup(const GeoLookup&) = delete;
  GeoLookup& operator=(const GeoLookup&) = delete;

  // Nothing for what is no address, is not in the database, or has no country there.
  std::optional<GeoPlace> find(std::string_view address) const;

 private:
  struct Database;
  explicit GeoLookup(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

class GeoSource {
 public:
  // An empty path: no lookups. On an error the present one stays.
  Result<void> load(const std::filesystem::path& file);
  std::shared_ptr<const GeoLookup> get() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const GeoLookup> lookup_;  // guarded by mutex_
};

}  // namespace picket::digest
