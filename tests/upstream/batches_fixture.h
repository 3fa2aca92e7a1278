// An upstream that takes batches, answers each envelope in them as it is told, and remembers what it took.
#pragma once

#include "forwarder_fixture.h"

#include "relay/protocol/envelope_batch.h"
#include "support/received_request.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::upstream {

using relay::BatchLine;

struct Framed {
  std::string project;
  std::string key;
  std::string event_id;
  std::string body;
  std::vector<std::string> headers;
};

inline bool is_batch(const Received& received) {
  return received.path == relay::batch_path;
}

inline std::vector<Framed> frames_of(const Received& received) {
  std::vector<Framed> frames;
  relay::EnvelopeBatchReader reader(received.envelope);
  for (;;) {
    const auto next = reader.next();
    EXPECT_TRUE(next) << (next ? "" : next.error().detail);
    if (!next || !*next) return frames;
    Framed& framed = frames.emplace_back();
    framed.project = (*next)->project;
    framed.body = (*next)->body;
    for (const auto& [name, value] : (*next)->headers) {
      framed.headers.push_back(std::string(name) + ": " + std::string(value));
      const auto at = value.find("sentry_key=");
      if (name == "X-Sentry-Auth" && at != std::string_view::npos) framed.key = value.substr(at + 11, 32);
    }
    framed.event_id = testing::event_id_of(framed.body);
  }
}

class BatchesTest : public ForwarderTest {
 protected:
  using LineRule = std::function<BatchLine(const Framed&)>;

  static BatchLine accepted() { return {200, "", "", "{}"}; }

  // A Picket that takes batches. `rule` says what an envelope in one is answered; what comes alone is
  // accepted, unless `alone` says otherwise.
  void take_batches(LineRule rule = nullptr, FakeUpstream::Rule alone = nullptr) {
    upstream.answer([this, rule, alone](const Received& received) {
      if (!is_batch(received)) {
        auto reply = alone ? alone(received) : Reply{};
        reply.headers.emplace_back("X-Picket-Batch", "1");
        if (reply.status == 200) note(received.event_id);
        return reply;
      }
      return answer_to(received, rule);
    });
  }
  Reply answer_to(const Received& received, const LineRule& rule) {
    Reply reply;
    reply.content_type = relay::batch_answer_type;
    const auto frames = frames_of(received);
    for (const auto& frame : frames) {
      const auto line = rule ? rule(frame) : accepted();
      if (line.status == 200) note(frame.event_id);
      reply.body += relay::render_batch_line(line);
    }
    ++batches;
    envelopes += frames.size();
    return reply;
  }
  void note(const std::string& id) {
    const std::lock_guard lock(mutex);
    ids.insert(id);
  }
  std::multiset<std::string> taken() const {
    const std::lock_guard lock(mutex);
    return ids;
  }
  std::size_t times(std::uint64_t number) const { return taken().count(event_id(number)); }
  bool each_once(std::size_t count) const {
    for (std::uint64_t i = 1; i <= count; ++i) {
      if (times(i) != 1) return false;
    }
    return true;
  }
  // One request is under way until the first is answered: that goes alone, and all else in batches.
  void post_and_start(std::size_t count, DestinationConfig config) {
    post_many(count);
    start({std::move(config)});
  }
  void post_and_start(std::size_t count) { post_and_start(count, destination(upstream)); }
  // An envelope of about so many bytes, of which compression takes half.
  void post_noise(std::uint64_t number, std::size_t bytes) {
    std::minstd_rand random(static_cast<unsigned>(number));
    std::string payload;
    while (payload.size() < bytes) payload += "0123456789abcdef"[random() % 16];
    auto record = make_record({.id = event_id(number)}, clock.now());
    record.coding = static_cast<std::uint8_t>(relay::Coding::identity);
    record.body = "{\"event_id\":\"" + event_id(number) + "\"}\n{\"type\":\"attachment\",\"length\":" + std::to_string(bytes) + "}\n" + payload;
    journal.append(record);
    posted = std::max(posted, number);
  }
  std::size_t alone_requests() const {
    std::size_t count = 0;
    for (const auto& received : upstream.received()) count += is_batch(received) ? 0 : 1;
    return count;
  }

  mutable std::mutex mutex;
  std::multiset<std::string> ids;  // guarded by mutex
  std::atomic<std::size_t> batches{0};
  std::atomic<std::size_t> envelopes{0};
};

}  // namespace picket::upstream
