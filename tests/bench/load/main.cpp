// picket_load: sends made-up error events and says how fast they were acknowledged, as one JSON
// object. Exit codes: 0 the run ended (failures are in the JSON), 64 wrong usage, 69 no connection.
#include "bench/load/load_run.h"
#include "relay/protocol/dsn.h"

#include <netdb.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace picket::load {
namespace {

constexpr std::string_view usage =
    "usage: picket_load --dsn DSN [options]\n"
    "       picket_load --url http://HOST:PORT/api/PROJECT/envelope/?sentry_key=KEY [options]\n"
    "  --rate N          events per second, due at fixed times; 0 (default): as fast as answers "
    "come\n"
    "  --connections N   default 1\n"
    "  --seconds N       how long (default 10), or\n"
    "  --count N         how many\n"
    "  --size 3k|20k|N   gzip bytes of one event, about (default 3k)\n"
    "  --issues N        how many different issues (default 1000)\n"
    "  --users N         how many different users (default 5000)\n"
    "  --bodies N        how many compressed events to vary (default 2000)\n"
    "  --seed N          another seed, other events\n"
    "example: picket_load --dsn http://KEY@127.0.0.1:3000/1 --rate 8000 --connections 64 --seconds "
    "30\n";

constexpr int wrong_usage = 64;
constexpr int unavailable = 69;

using Arguments = std::map<std::string, std::string, std::less<>>;

std::optional<Arguments> parse_arguments(int count, char** words) {
  Arguments arguments{{"rate", "0"},  {"connections", "1"}, {"seconds", ""},   {"count", "0"},
                      {"size", "3k"}, {"issues", "1000"},   {"users", "5000"}, {"bodies", "2000"},
                      {"seed", "1"},  {"dsn", ""},          {"url", ""}};
  for (int i = 1; i < count; ++i) {
    std::string_view word(words[i]);
    if (!word.starts_with("--")) return std::nullopt;
    word.remove_prefix(2);
    const auto equals = word.find('=');
    const auto found = arguments.find(word.substr(0, equals));
    if (found == arguments.end()) return std::nullopt;
    if (equals != std::string_view::npos) {
      found->second = word.substr(equals + 1);
    } else if (++i < count) {
      found->second = words[i];
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

// "8000", "0.5", "20k". -1 when it is no number.
double number_of(std::string_view text) {
  double factor = 1;
  if (text.ends_with('k')) {
    factor = 1024;
    text.remove_suffix(1);
  }
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return -1;
  return value * factor;
}

struct Address {
  std::string host;
  std::string port = "80";
  std::string target;
  std::string key;  // "" when the target has it
};

std::optional<Address> find_address(const Arguments& arguments) {
  Address address;
  if (!arguments.at("dsn").empty()) {
    const auto dsn = relay::parse_dsn(arguments.at("dsn"));
    if (!dsn || dsn->scheme != "http") return std::nullopt;
    address.host = dsn->host;
    if (dsn->port != 0) address.port = std::to_string(dsn->port);
    address.target = dsn->path + "/api/" + std::to_string(dsn->project) + "/envelope/";
    address.key = dsn->key.hex;
    return address;
  }
  std::string_view url = arguments.at("url");
  if (!url.starts_with("http://")) return std::nullopt;
  url.remove_prefix(7);
  const auto slash = url.find('/');
  const auto authority = url.substr(0, slash);
  address.target = slash == std::string_view::npos ? "/" : url.substr(slash);
  const auto colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && !authority.ends_with(']');
  address.host = authority.substr(0, has_port ? colon : authority.size());
  if (has_port) address.port = authority.substr(colon + 1);
  return address;
}

std::optional<Target> resolve(const Address& address) {
  auto host = address.host;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), address.port.c_str(), &hints, &found) != 0) return std::nullopt;
  Target target;
  __builtin_memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  target.address_bytes = found->ai_addrlen;
  ::freeaddrinfo(found);
  target.head = "POST " + address.target + " HTTP/1.1\r\nHost: " + address.host + ":" +
                address.port +
                "\r\nUser-Agent: sentry.python.django/2.14.0\r\nContent-Type: "
                "application/x-sentry-envelope\r\nContent-Encoding: gzip\r\n";
  if (!address.key.empty()) {
    target.head += "X-Sentry-Auth: Sentry sentry_key=" + address.key +
                   ", sentry_version=7, sentry_client=sentry.python.django/2.14.0\r\n";
  }
  target.head += "Content-Length: ";
  return target;
}

void print(const RunResult& result, const BodyPool& pool) {
  const auto ms = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e6; };
  const double rate = result.seconds > 0 ? static_cast<double>(result.acked) / result.seconds : 0;
  std::string failures;
  for (const auto& [name, count] : result.failures) {
    failures += (failures.empty() ? "\"" : ",\"") + name + "\":" + std::to_string(count);
  }
  std::printf(
      "{\"sent\":%llu,\"acked\":%llu,\"errors\":{%s},\"seconds\":%.3f,\"acks_per_second\":%.1f,"
      "\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,"
      "\"send_late_p99_ms\":%.3f,\"body_bytes\":%.0f,\"json_bytes\":%.0f}\n",
      static_cast<unsigned long long>(result.sent), static_cast<unsigned long long>(result.acked),
      failures.c_str(), result.seconds, rate, ms(result.latency.percentile(0.5)),
      ms(result.latency.percentile(0.9)), ms(result.latency.percentile(0.99)),
      ms(result.latency.percentile(0.999)), ms(result.latency.max()),
      ms(result.lateness.percentile(0.99)), pool.mean_gzip_bytes(), pool.mean_json_bytes());
}

int run(const Arguments& arguments) {
  const auto number = [&](std::string_view name) {
    return number_of(arguments.find(name)->second);
  };
  RunOptions options;
  options.rate = number("rate");
  options.count = static_cast<std::uint64_t>(std::max(0.0, number("count")));
  options.seconds =
      arguments.at("seconds").empty() ? (options.count == 0 ? 10 : 0) : number("seconds");
  options.connections = static_cast<unsigned>(std::max(0.0, number("connections")));
  PoolOptions pool_options;
  pool_options.gzip_bytes = static_cast<std::size_t>(std::max(0.0, number("size")));
  pool_options.issues = static_cast<std::uint64_t>(std::max(0.0, number("issues")));
  pool_options.users = static_cast<std::uint64_t>(std::max(0.0, number("users")));
  pool_options.bodies = static_cast<std::size_t>(std::max(0.0, number("bodies")));
  pool_options.seed = static_cast<std::uint64_t>(std::max(0.0, number("seed")));
  const auto address = find_address(arguments);
  const bool bounded = options.seconds > 0 || options.count > 0;
  if (!address || options.rate < 0 || options.seconds < 0 || !bounded || options.connections == 0 ||
      pool_options.issues == 0 || pool_options.users == 0 || pool_options.bodies == 0 ||
      pool_options.gzip_bytes == 0) {
    std::fputs(usage.data(), stderr);
    return wrong_usage;
  }
  const auto target = resolve(*address);
  BodyPool pool(pool_options);
  if (target) {
    LoadRun load(*target, pool, options);
    if (load.connect()) {
      print(load.run(), pool);
      return 0;
    }
  }
  std::fprintf(stderr, "picket_load: no connection to %s:%s; is Picket running there?\n",
               address->host.c_str(), address->port.c_str());
  return unavailable;
}

}  // namespace
}  // namespace picket::load

int main(int count, char** words) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // wake within microseconds of a due time
  const auto arguments = picket::load::parse_arguments(count, words);
  if (arguments) return picket::load::run(*arguments);
  std::fputs(picket::load::usage.data(), stderr);
  return picket::load::wrong_usage;
}
