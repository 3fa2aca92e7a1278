// How many connections are tried at once while none comes about. The times are the test's own.
#include "upstream/link_probe.h"

#include "support/swallower.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

class LinkProbeTest : public ::testing::Test {
 protected:
  LinkProbeTest() { config.probe_every = 1s; }
  ~LinkProbeTest() override { probe.end(multi.get()); }

  // Pumps once a second of its own time; how many connections are asked for after each.
  int asking_after(LinkProbe::Steady::time_point now, const std::string& origin) {
    probe.pump(multi.get(), origin, now, [this] { ++connected; });
    int running = 0;
    EXPECT_EQ(curl_multi_perform(multi.get(), &running), CURLM_OK);
    return running;
  }

  DestinationConfig config;
  WireMeter meter;
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi{curl_multi_init(), &curl_multi_cleanup};
  LinkProbe probe{config, meter};
  int connected = 0;
};

// Else a link that comes back is found up to five seconds late: as long as those last that were begun before.
TEST_F(LinkProbeTest, AFreshOneIsTriedEachSecondThoughTheDestinationWasNeverReached) {
  testing::Swallower silence;
  silence.swallow();
  const auto origin = "http://127.0.0.1:" + std::to_string(silence.port());
  const LinkProbe::Steady::time_point start{1h};
  ASSERT_FALSE(probe.knows_address());
  for (int second = 0; second < 5; ++second) EXPECT_EQ(asking_after(start + second * 1s, origin), second + 1);
  EXPECT_EQ(asking_after(start + 5s, origin), 5) << "more than last as long as one does";
  EXPECT_EQ(connected, 0);
}

}  // namespace
}  // namespace picket::upstream
