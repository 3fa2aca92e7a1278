// picket_scripted_upstream: a tracker for tests from outside that answers as its script says, see
// upstream_script.h, or takes batches as a Picket does, and writes the ids of the events it accepted, one a line.
#include "relay/protocol/envelope_batch.h"
#include "support/fake_upstream.h"
#include "support/received_request.h"
#include "support/upstream_script.h"

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

namespace picket::testing {
namespace {

constexpr char usage[] =
    "usage: picket_scripted_upstream [--port N] [--rules SCRIPT | --batches yes] [--out FILE] [--delay-ms N] [--seconds N]\n"
    "example: picket_scripted_upstream --port 0 --rules \"500 for 10s then 200\" --out ids --seconds 60\n";

std::map<std::string, std::string> parse_options(int count, char** words) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < count; i += 2) options[words[i]] = words[i + 1];
  if (count % 2 == 0) options["?"] = words[count - 1];
  return options;
}

long take_number(std::map<std::string, std::string>& options, const std::string& name, long fallback) {
  const auto text = options.extract(name);
  return text.empty() ? fallback : std::strtol(text.mapped().c_str(), nullptr, 10);
}

// Offers to take batches, and accepts all that is in one. `note` is told the ids.
template <class Note>
Reply take_batch(const Received& received, Note note) {
  Reply reply;
  reply.headers.emplace_back(relay::batch_offer_header, relay::batch_version);
  if (received.path != relay::batch_path) return reply;
  reply.content_type = relay::batch_answer_type;
  reply.no_body = true;
  relay::EnvelopeBatchReader reader(received.envelope);
  for (;;) {
    const auto frame = reader.next();
    if (!frame || !*frame) return reply;
    note(event_id_of((*frame)->body));
    reply.body += relay::render_batch_line({200, "", "", "{}"});
  }
}

int run(std::map<std::string, std::string> options) {
  FakeUpstream::Options chosen;
  chosen.keep = false;
  chosen.port = static_cast<std::uint16_t>(take_number(options, "--port", 0));
  chosen.delay = std::chrono::milliseconds(take_number(options, "--delay-ms", 0));
  const long seconds = take_number(options, "--seconds", 3'600);
  const auto script = options.extract("--rules");
  const auto file = options.extract("--out");
  const auto batches = options.extract("--batches");
  chosen.decode = !file.empty() || !batches.empty();
  const auto rule = script.empty() ? FakeUpstream::Rule() : parse_upstream_script(script.mapped()).value_or(nullptr);
  if (!options.empty() || (!script.empty() && (!rule || !batches.empty())) || (!batches.empty() && batches.mapped() != "yes")) {
    std::cerr << usage;
    return 64;
  }
  std::ofstream ids;
  if (!file.empty()) ids.open(file.mapped(), std::ios::app);

  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  FakeUpstream upstream(chosen);
  upstream.on_accepted([&](const Received& received) {
    if (ids.is_open() && !received.event_id.empty()) ids << received.event_id << std::endl;
  });
  if (rule) upstream.answer(rule);
  if (!batches.empty()) {
    upstream.answer([&](const Received& received) {
      return take_batch(received, [&](const std::string& id) {
        if (ids.is_open() && !id.empty()) ids << id << std::endl;
      });
    });
  }
  std::cout << "listening on " << upstream.url() << std::endl;
  const timespec limit{seconds, 0};
  sigtimedwait(&ends, nullptr, &limit);
  std::cout << "requests " << upstream.requests() << " accepted " << upstream.accepted() << std::endl;
  return 0;
}

}  // namespace
}  // namespace picket::testing

int main(int count, char** words) {
  return picket::testing::run(picket::testing::parse_options(count, words));
}
