// A tracker that answers as it is told: HTTP/1.1 on a loopback port of its own, one thread.
//
// THREADS  All members from any thread; the rule runs on the upstream's thread, one call at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::testing {

struct Reply {
  enum class Way : std::uint8_t {
    whole,
    reset,  // the connection is reset instead of an answer
    cut,    // the answer's head and half of its body, then a reset
    stall,  // never an answer, the connection stays open
  };
  unsigned status = 200;
  std::string body = {};  // empty with a 2xx: {"id":"…"} of the event
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::chrono::milliseconds delay{0};
  Way way = Way::whole;
  bool no_body = false;
};

Reply portal_page();  // 200 with HTML: a captive portal

struct Received {
  std::string path;
  std::uint64_t project = 0;
  std::string key;     // of X-Sentry-Auth
  std::string client;  // likewise
  std::vector<std::pair<std::string, std::string>> headers;
  std::string coding;         // Content-Encoding
  std::size_t body_bytes = 0; // as sent
  std::string envelope;       // decoded; empty when it does not decode; a batch as it was sent
  std::string event_id;       // of the envelope header, "" when absent
  unsigned status = 0;        // what it was answered with; 0 without a whole answer
  std::chrono::steady_clock::time_point at{};

  // ASCII case-insensitive; "" when absent.
  std::string_view find_header(std::string_view name) const;
};

class FakeUpstream {
 public:
  using Rule = std::function<Reply(const Received&)>;

  struct Options {
    std::uint16_t port = 0;    // 0: any free one
    bool keep = true;          // remember what arrives; else only count
    bool decode = true;        // without, envelope and event_id stay empty
    std::chrono::milliseconds delay{0};  // of every answer, besides the reply's own
  };
  FakeUpstream();
  explicit FakeUpstream(Options options);
  ~FakeUpstream();

  std::uint16_t port() const;
  std::string url() const;                          // http://127.0.0.1:PORT
  std::string dsn(std::uint64_t project = 1) const; // with a key of sixteen "ab"

  void answer(Rule rule);
  void answer_with(Reply reply);
  // Runs on the upstream's thread for every request that was answered 2xx in full.
  void on_accepted(std::function<void(const Received&)> listener);

  std::vector<Received> received() const;
  std::size_t requests() const;
  std::size_t accepted() const;
  // Event ids of what was answered 2xx, in order of arrival, repetitions included.
  std::vector<std::string> accepted_ids() const;
  std::size_t connections() const;  // accepted since start
  bool wait_for_requests(std::size_t count, std::chrono::milliseconds at_most = std::chrono::seconds(30)) const;
  bool wait_for_accepted(std::size_t count, std::chrono::milliseconds at_most = std::chrono::seconds(30)) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace picket::testing
