#include "api/digest/geo.h"

#include "normalize_fixture.h"
#include "support/temp_dir.h"

#include <array>
#include <fstream>
#include <utility>
#include <vector>

// libmaxminddb 1.7 does not free what it read of the metadata of a file that it then refuses.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libmaxminddb";
}

namespace picket::digest {
namespace {

// ---- the MaxMind DB format 2.0, as far as one record needs it
std::string text(std::string_view value) {
  return std::string(1, static_cast<char>(0x40 | value.size())) + std::string(value);
}
std::string number(unsigned type, std::uint64_t value) {  // type 5: 16 bits, 6: 32 bits, 9: 64 bits
  std::string bytes;
  for (; value != 0; value >>= 8) bytes.insert(bytes.begin(), static_cast<char>(value & 0xff));
  if (type < 8) return std::string(1, static_cast<char>(type << 5 | bytes.size())) + bytes;
  return std::string(1, static_cast<char>(bytes.size())) + static_cast<char>(type - 7) + bytes;
}
std::string map(const std::vector<std::pair<std::string_view, std::string>>& entries) {
  std::string bytes(1, static_cast<char>(0xe0 | entries.size()));
  for (const auto& [key, value] : entries) bytes += text(key) + value;
  return bytes;
}
std::string list(const std::vector<std::string>& entries) {
  std::string bytes{static_cast<char>(entries.size()), 4};
  for (const auto& each : entries) bytes += each;
  return bytes;
}

// An IPv4 tree that holds 203.0.113.0/24 and nothing else.
std::string database() {
  const std::array<unsigned, 3> prefix = {203, 0, 113};
  constexpr unsigned nodes = 24;
  std::string tree;
  const auto record = [&](unsigned value) {
    for (int shift = 16; shift >= 0; shift -= 8) tree += static_cast<char>(value >> shift & 0xff);
  };
  for (unsigned bit = 0; bit < nodes; ++bit) {
    const bool one = (prefix[bit / 8] >> (7 - bit % 8) & 1) != 0;
    const unsigned next = bit + 1 == nodes ? nodes + 16 : bit + 1;  // the data section begins 16 behind
    record(one ? nodes : next);
    record(one ? next : nodes);
  }
  const auto data = map({{"city", map({{"names", map({{"en", text("Linz")}})}})},
                         {"country", map({{"iso_code", text("AT")}, {"names", map({{"en", text("Austria")}})}})},
                         {"subdivisions", list({map({{"names", map({{"en", text("Upper Austria")}})}})})}});
  const auto metadata = map({{"node_count", number(6, nodes)},
                             {"record_size", number(5, 24)},
                             {"ip_version", number(5, 4)},
                             {"database_type", text("Test")},
                             {"languages", list({text("en")})},
                             {"binary_format_major_version", number(5, 2)},
                             {"binary_format_minor_version", number(5, 0)},
                             {"build_epoch", number(9, 1'700'000'000)},
                             {"description", map({{"en", text("Test")}})}});
  return tree + std::string(16, '\0') + data + "\xab\xcd\xefMaxMind.com" + metadata;
}

class Geo : public ::testing::Test {
 protected:
  std::filesystem::path write(std::string_view bytes) {
    const auto file = dir_.path() / "places.mmdb";
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file;
  }
  testing::TempDir dir_;
};

TEST_F(Geo, FindsThePlaceOfAnAddress) {
  const auto lookup = GeoLookup::open(write(database()));
  ASSERT_TRUE(lookup) << lookup.error().detail;
  const auto place = (*lookup)->find("203.0.113.9");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->country_code, "AT");
  EXPECT_EQ(place->city, "Linz");
  EXPECT_EQ(place->subdivision, "Upper Austria");
  EXPECT_EQ(place->region, "Austria");
  for (const auto* none : {"203.0.114.1", "", "::1", "nowhere", "203.0.113.9x"}) EXPECT_FALSE((*lookup)->find(none)) << none;
}

TEST_F(Geo, FillsTheUserWhoHasNoPlaceOfHisOwn) {
  const auto lookup = GeoLookup::open(write(database()));
  ASSERT_TRUE(lookup);
  const auto found = normalized(R"({"user":{"ip_address":"{{auto}}"}})", from_event(), lookup->get());
  EXPECT_EQ(at(found, "/user/geo"), R"({"country_code":"AT","city":"Linz","subdivision":"Upper Austria","region":"Austria"})");
  const auto own = normalized(R"({"user":{"ip_address":"{{auto}}","geo":{"country_code":"FR"}}})", from_event(), lookup->get());
  EXPECT_EQ(at(own, "/user/geo"), R"({"country_code":"FR"})");
}

TEST_F(Geo, RefusesWhatIsNoDatabase) {
  EXPECT_EQ(GeoLookup::open(dir_.path() / "missing").error().fault, Fault::unavailable);
  EXPECT_EQ(GeoLookup::open(write("nothing of the kind")).error().fault, Fault::corrupt);
}

TEST_F(Geo, SurvivesEveryTruncation) {
  const auto whole = database();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto lookup = GeoLookup::open(write(whole.substr(0, length)));
    if (lookup) (*lookup)->find("203.0.113.9");
  }
}

TEST_F(Geo, ASourceKeepsItsDatabaseWhenTheNewOneIsWrong) {
  GeoSource source;
  EXPECT_FALSE(source.get());
  ASSERT_TRUE(source.load(write(database())));
  const auto present = source.get();
  ASSERT_TRUE(present);
  EXPECT_FALSE(source.load(dir_.path() / "missing"));
  EXPECT_EQ(source.get(), present);
  ASSERT_TRUE(source.load({}));
  EXPECT_FALSE(source.get());
  EXPECT_TRUE(present->find("203.0.113.9"));
}

}  // namespace
}  // namespace picket::digest
