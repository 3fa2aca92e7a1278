#include "api/digest/config.h"

namespace picket::digest {

void bind(Settings& settings, DigestConfig& config) {
  constexpr Duration second(1000);
  constexpr Duration day(std::int64_t{24} * 3600 * 1000);
  settings.duration("linger", config.linger, Duration(0), second);
  settings.duration("write_target", config.write_target, Duration(1), second);
  settings.number("batch_records", config.batch_records, 1, 100'000);
  settings.bytes("batch_bytes", config.batch_bytes, std::uint64_t{64} << 10,
                 std::uint64_t{256} << 20);
  settings.bytes("max_envelope_bytes", config.max_envelope_bytes, std::uint64_t{1} << 20,
                 std::uint64_t{1} << 30);
  settings.duration("max_event_age", config.max_event_age, day, 3650 * day);
}

void bind(Settings& settings, GeoipConfig& config) {
  settings.text("path", config.path);
}

}  // namespace picket::digest
