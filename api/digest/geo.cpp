#include "api/digest/geo.h"

#include "relay/protocol/json_repair.h"

#include <maxminddb.h>

#include <utility>

namespace picket::digest {

struct GeoLookup::Database {
  MMDB_s handle{};
  bool open = false;
  ~Database() {
    if (open) MMDB_close(&handle);
  }
};

namespace {

// The text at a path of map keys; "" when there is none.
template <class... Keys>
std::string text_at(const MMDB_entry_s& entry, Keys... keys) {
  MMDB_entry_data_s data{};
  MMDB_entry_s start = entry;
  if (MMDB_get_value(&start, &data, keys..., nullptr) != MMDB_SUCCESS) return {};
  if (!data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING) return {};
  return relay::repair_utf8({data.utf8_string, data.data_size});
}

}  // namespace

GeoLookup::GeoLookup(std::unique_ptr<Database> database) : database_(std::move(database)) {}
GeoLookup::~GeoLookup() = default;

Result<std::shared_ptr<const GeoLookup>> GeoLookup::open(const std::filesystem::path& file) {
  auto database = std::make_unique<Database>();
  const int status = MMDB_open(file.c_str(), MMDB_MODE_MMAP, &database->handle);
  if (status != MMDB_SUCCESS) {
    const auto fault = status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR ? Fault::unavailable : Fault::corrupt;
    return Error{fault, file.string() + ": " + MMDB_strerror(status)};
  }
  database->open = true;
  return std::shared_ptr<const GeoLookup>(new GeoLookup(std::move(database)));
}

std::optional<GeoPlace> GeoLookup::find(std::string_view address) const {
  if (address.empty() || address.size() > 45) return std::nullopt;
  const std::string text(address);
  int not_an_address = 0;
  int status = MMDB_SUCCESS;
  const auto found = MMDB_lookup_string(&database_->handle, text.c_str(), &not_an_address, &status);
  if (not_an_address != 0 || status != MMDB_SUCCESS || !found.found_entry) return std::nullopt;
  GeoPlace place;
  place.country_code = text_at(found.entry, "country", "iso_code");
  place.region = text_at(found.entry, "country", "names", "en");
  place.city = text_at(found.entry, "city", "names", "en");
  place.subdivision = text_at(found.entry, "subdivisions", "0", "names", "en");
  if (place.country_code.empty()) return std::nullopt;
  return place;
}

Result<void> GeoSource::load(const std::filesystem::path& file) {
  std::shared_ptr<const GeoLookup> next;
  if (!file.empty()) {
    auto opened = GeoLookup::open(file);
    if (!opened) return opened.error();
    next = *std::move(opened);
  }
  const std::scoped_lock lock(mutex_);
  lookup_ = std::move(next);
  return {};
}

std::shared_ptr<const GeoLookup> GeoSource::get() const {
  const std::scoped_lock lock(mutex_);
  return lookup_;
}

}  // namespace picket::digest
