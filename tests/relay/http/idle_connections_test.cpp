// Ten thousand connections that do nothing, held by a child process so that each side has its own
// table of descriptors.
#include "relay/http/server_fixture.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

namespace picket::http {
namespace {

constexpr int connections = 10'000;
constexpr rlim_t needed_descriptors = connections + 200;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

bool raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur >= needed_descriptors) return true;
  limit.rlim_cur = needed_descriptors;
  if (limit.rlim_max < needed_descriptors) limit.rlim_max = needed_descriptors;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

long pss_kb() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;) {
    long kb = 0;
    if (word == "Pss:" && file >> kb) return kb;
  }
  return 0;
}

// Connects, uses every other connection once, says how many it has, holds them until it is killed.
[[noreturn]] void hold_connections(int port_from, int count_to) {
  std::uint16_t port = 0;
  if (::read(port_from, &port, sizeof port) != sizeof port) ::_exit(1);
  std::vector<HttpClient> clients;
  clients.reserve(connections);
  int held = 0;
  for (int i = 0; i < connections; ++i) {
    clients.emplace_back(port);
    if (!clients.back().connected()) break;
    if (i % 2 == 0 && !clients.back().request("POST", "/", std::string(5000, 'x'))) break;
    ++held;
  }
  if (::write(count_to, &held, sizeof held) != sizeof held) ::_exit(1);
  ::pause();
  ::_exit(0);
}

TEST(IdleConnections, TenThousandCostLittleAndHurtNobody) {
  if (!raise_descriptor_limit())
    GTEST_SKIP() << "cannot raise RLIMIT_NOFILE to " << needed_descriptors;
  int port_pipe[2];
  int count_pipe[2];
  ASSERT_EQ(::pipe(port_pipe), 0);
  ASSERT_EQ(::pipe(count_pipe), 0);
  const pid_t child = ::fork();  // before the server's threads exist
  ASSERT_GE(child, 0);
  if (child == 0) hold_connections(port_pipe[0], count_pipe[1]);

  auto options = loopback_options();
  options.idle_timeout = 10min;
  const auto server = start_server(options, echo_service());
  HttpClient warm(server->port());
  EXPECT_EQ(warm.request("POST", "/", std::string(5000, 'x'))->status, 200);
  const long before = pss_kb();
  const auto port = server->port();
  ASSERT_EQ(::write(port_pipe[1], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  int held = 0;
  ASSERT_EQ(::read(count_pipe[0], &held, sizeof held), static_cast<ssize_t>(sizeof held));
  ASSERT_EQ(held, connections);
  ASSERT_TRUE(eventually([&] { return server->counters().connections_open == connections + 1; }));
  const long grown = pss_kb() - before;

  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i)
    ASSERT_EQ(warm.request("POST", "/", "b")->status, 200);
  const auto took = std::chrono::steady_clock::now() - begun;
  std::printf("10,000 idle connections: PSS grew by %ld KB, %.2f KB each\n", grown,
              static_cast<double>(grown) / connections);
  if (!sanitized) {
    EXPECT_LT(grown, 4 * connections);
    EXPECT_LT(took, 2s) << "200 requests beside them";
  }

  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 1; }));
  for (const int end : {port_pipe[0], port_pipe[1], count_pipe[0], count_pipe[1]})
    ::close(end);
}

}  // namespace
}  // namespace picket::http
