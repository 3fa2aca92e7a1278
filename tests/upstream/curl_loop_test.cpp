#include "upstream/curl_loop.h"

#include "support/fake_upstream.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

class CurlLoopTest : public ::testing::Test {
 protected:
  using Easy = std::unique_ptr<CURL, CloseEasy>;

  // As the forwarder does: libcurl keeps few connections while no handle is there.
  CurlLoopTest() { curl_multi_setopt(loop_.multi(), CURLMOPT_MAXCONNECTS, 41L); }
  ~CurlLoopTest() override {
    for (const auto& easy : handles_) curl_multi_remove_handle(loop_.multi(), easy.get());
  }

  CURL* request(const std::string& url, std::chrono::milliseconds within = 20s) {
    auto* easy = handles_.emplace_back(curl_easy_init()).get();
    set_option(easy, CURLOPT_URL, url.c_str());
    set_option(easy, CURLOPT_POSTFIELDS, "{}\n{\"type\":\"event\"}\n{}\n");
    set_option(easy, CURLOPT_NOPROXY, "*");
    set_option(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(within.count()));
    set_option(easy, CURLOPT_WRITEFUNCTION, +[](char*, std::size_t size, std::size_t count, void*) { return size * count; });
    EXPECT_EQ(curl_multi_add_handle(loop_.multi(), easy), CURLM_OK);
    return easy;
  }

  // Turns until so many have finished.
  void turn_until(std::size_t wanted) {
    const auto end = Steady::now() + 20s;
    while (finished_.size() < wanted) {
      ASSERT_LT(Steady::now(), end);
      loop_.collect([&](CURL* easy, CURLcode code) {
        curl_multi_remove_handle(loop_.multi(), easy);
        finished_[easy] = code;
      });
      if (finished_.size() < wanted) loop_.wait(5s);
      ++turns_;
    }
  }

  CurlLoop loop_;
  std::vector<Easy> handles_;
  std::map<CURL*, CURLcode> finished_;
  std::size_t turns_ = 0;
};

TEST_F(CurlLoopTest, CarriesManyTransfersAtOnceAndConnectionsAreUsedAgain) {
  testing::FakeUpstream upstream;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 40; ++i) request(upstream.url() + "/api/1/envelope/");
    turn_until(finished_.size() + 40);
  }
  for (const auto& [easy, code] : finished_) {
    EXPECT_EQ(code, CURLE_OK);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    EXPECT_EQ(status, 200);
  }
  EXPECT_EQ(upstream.accepted(), 120U);
  EXPECT_LE(upstream.connections(), 40U);
}

TEST_F(CurlLoopTest, WakesFromAnotherThread) {
  std::jthread waker([&] {
    std::this_thread::sleep_for(50ms);
    loop_.wake();
  });
  const auto from = Steady::now();
  loop_.wait(30s);
  EXPECT_LT(Steady::now() - from, 20s);
  waker.join();
  // Once is enough for one wait.
  const auto again = Steady::now();
  loop_.wait(30ms);
  EXPECT_GE(Steady::now() - again, 25ms);
}

TEST_F(CurlLoopTest, AWakeThatComesBeforeTheWaitIsNotLost) {
  loop_.wake();
  loop_.wake();
  const auto from = Steady::now();
  loop_.wait(30s);
  EXPECT_LT(Steady::now() - from, 20s);
}

TEST_F(CurlLoopTest, TimersEndWhatIsSilentWithoutIdleTurns) {
  testing::FakeUpstream upstream;
  upstream.answer_with({.way = testing::Reply::Way::stall});
  const auto from = Steady::now();
  auto* easy = request(upstream.url() + "/api/1/envelope/", 300ms);
  turn_until(1);
  EXPECT_EQ(finished_.at(easy), CURLE_OPERATION_TIMEDOUT);
  EXPECT_LT(Steady::now() - from, 10s);
  EXPECT_LT(turns_, 200U);
}

TEST_F(CurlLoopTest, SaysWhatCannotBeReachedAndWhatBreaksOff) {
  testing::FakeUpstream upstream;
  upstream.answer_with({.way = testing::Reply::Way::cut});
  auto* cut = request(upstream.url() + "/api/1/envelope/");
  auto* refused = request("http://127.0.0.1:1/api/1/envelope/");
  turn_until(2);
  EXPECT_NE(finished_.at(cut), CURLE_OK);
  EXPECT_EQ(finished_.at(refused), CURLE_COULDNT_CONNECT);
}

}  // namespace
}  // namespace picket::upstream
