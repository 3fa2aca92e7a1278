#include "upstream/reach_check.h"

#include "upstream/answer.h"
#include "upstream/curl_options.h"
#include "upstream/relay_session.h"
#include "upstream/routes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string_view>

namespace picket::upstream {
namespace {

// A question without a key that Relay and Picket answer; others answer 404, which tells as much.
constexpr std::string_view asked_path = "/api/relay/healthcheck/live/";

struct Body {
  std::string text;
  static std::size_t collect(const char* bytes, std::size_t size, std::size_t count, void* self) {
    constexpr std::size_t most = 1000;
    auto& text = static_cast<Body*>(self)->text;
    text.append(bytes, std::min(size * count, most - std::min(most, text.size())));
    return size * count;
  }
};

// Proxies may be configured with a user and a password.
std::string without_credentials(const std::string& url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  const auto at = url.rfind('@');
  return at == std::string::npos || at < begin ? url : url.substr(0, begin) + url.substr(at + 1);
}

// Each on its own, as several projects may be mapped to different trackers.
std::vector<std::string> origins_of(const DestinationConfig& config) {
  const auto routes = make_routes(config);
  if (!routes) return {};
  std::set<std::string> origins = {routes->origin()};
  for (const auto& [project, place] : config.projects) {
    const auto id = relay::parse_project_id(project);
    const auto target = id ? routes->find_target(*id, std::string(16, '\0')) : Result<Target>(Error{});
    if (target) origins.insert(target->origin);
  }
  return {origins.begin(), origins.end()};
}

Stage stage_of(CURLcode code) {
  switch (code) {
    case CURLE_OK: return Stage::answered;
    case CURLE_COULDNT_RESOLVE_HOST: return Stage::name;
    case CURLE_COULDNT_RESOLVE_PROXY: case CURLE_PROXY: return Stage::proxy;
    case CURLE_SSL_CACERT_BADFILE: return Stage::authorities;
    case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CERTPROBLEM: case CURLE_SSL_ISSUER_ERROR: return Stage::certificate;
    default: return Stage::connection;
  }
}

std::optional<Time> parse_date(const char* text) {
  const auto seconds = ::curl_getdate(text, nullptr);
  return seconds < 0 ? std::nullopt : std::optional(time_from_ms(std::int64_t{seconds} * 1000));
}

// "Expire date:Nov 29 20:08:18 2027 GMT" of the peer's own certificate, the first of the chain.
std::optional<Time> find_expiry(CURL* easy) {
  constexpr std::string_view name = "Expire date:";
  curl_certinfo* chain = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == nullptr || chain->num_of_certs == 0) return std::nullopt;
  for (const curl_slist* line = chain->certinfo[0]; line != nullptr; line = line->next) {
    if (std::string_view(line->data).starts_with(name)) return parse_date(line->data + name.size());
  }
  return std::nullopt;
}

Probe ask(const DestinationConfig& config, const std::string& url, const Clock& clock, const ReachOptions& options) {
  const std::unique_ptr<CURL, CloseEasy> easy(curl_easy_init());
  if (!easy) std::abort();
  Body body;
  std::string error(CURL_ERROR_SIZE, '\0');
  set_limits(easy.get(), config);
  set_way(easy.get(), config);
  set_option(easy.get(), CURLOPT_URL, url.c_str());
  set_option(easy.get(), CURLOPT_HTTPGET, 1L);
  set_option(easy.get(), CURLOPT_USERAGENT, "picket/" PICKET_VERSION);
  set_option(easy.get(), CURLOPT_CERTINFO, 1L);
  set_option(easy.get(), CURLOPT_TIMEOUT, static_cast<long>(options.at_most.count()));
  set_option(easy.get(), CURLOPT_ERRORBUFFER, error.data());
  set_option(easy.get(), CURLOPT_WRITEFUNCTION, &Body::collect);
  set_option(easy.get(), CURLOPT_WRITEDATA, static_cast<void*>(&body));
  const auto before = clock.now();
  const CURLcode code = curl_easy_perform(easy.get());
  Probe probe{.stage = stage_of(code), .body = std::move(body.text), .asked = before + (clock.now() - before) / 2};
  if (code != CURLE_OK) probe.failure = error[0] != '\0' ? std::string(error.c_str()) : std::string(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  probe.status = static_cast<unsigned>(status);
  probe.content_type = find_header(easy.get(), "Content-Type");
  probe.location = find_header(easy.get(), "Location");
  probe.date = parse_date(find_header(easy.get(), "Date").c_str());
  probe.certificate_ends = find_expiry(easy.get());
  return probe;
}

bool is_page(const Probe& probe) {
  const auto start = probe.body.find_first_not_of(" \t\r\n");
  return probe.content_type.find("html") != std::string::npos || (start != std::string::npos && probe.body[start] == '<');
}

Finding judge_answer(const std::string& subject, const std::string& origin, const Probe& probe) {
  const std::string answered = origin + " answers " + std::to_string(probe.status);
  const unsigned status = probe.status;
  if (status == 511 || (status < 300 && is_page(probe))) {
    return {Grade::fail, subject, answered + " with a web page: a captive portal stands between, and nothing is delivered", "log in to this network, or set another way with proxy"};
  }
  if (status >= 300 && status < 400) {
    return {Grade::fail, subject, answered + " and redirects" + (probe.location.empty() ? "" : " to " + printable(probe.location, 200)) + ": redirects are not followed",
            "configure the final address (https for http?); if that is a login page, a captive portal stands between"};
  }
  if (status == 407) return {Grade::fail, subject, answered + ": the proxy wants a user and a password", "set them in proxy = \"http://user:password@host:port\""};
  if (status >= 500) return {Grade::warn, subject, answered + ": it has trouble of its own", "nothing; what waits is sent when it is well again"};
  if (status == 429) return {Grade::warn, subject, answered + ": it asks to wait", "nothing; each category waits as long as it is asked to"};
  return {Grade::ok, subject, answered};
}

// Is there a name to be looked up, or an address already?
bool names_host(std::string_view origin) {
  const auto host = origin.substr(std::min(origin.size(), origin.find("://") + 3));
  if (host.starts_with('[')) return false;
  return host.substr(0, host.find_first_of(":/")).find_first_not_of("0123456789.") != std::string_view::npos;
}

// What is said about the name, and about the way to it, when it was not reached.
std::vector<Finding> judge_failure(const DestinationConfig& config, const std::string& subject, const std::string& origin, const Probe& probe) {
  const std::string why = printable(probe.failure, 300);
  const std::string way = config.proxy.empty() ? "" : " through " + without_credentials(config.proxy);
  const auto found = [&](std::string what, std::string to_do) {
    return std::vector<Finding>{{Grade::fail, subject + what, origin + way + ": " + why, std::move(to_do)}};
  };
  switch (probe.stage) {
    case Stage::name: return found(" DNS", "see /etc/resolv.conf and the host's spelling; getent hosts asks the same");
    case Stage::proxy: return found(" proxy", "see that proxy is spelled right and runs");
    case Stage::authorities: return found(" CA bundle", "put the authorities' PEM file where ca_file says, or install ca-certificates");
    case Stage::certificate: return found(" certificate", "ca_file for a certificate of your own authority; check the clock; else have it renewed over there");
    case Stage::connection: return found("", "see that it runs, and the firewalls between; what waits is sent when it is back");
    case Stage::answered: break;
  }
  std::abort();
}

Finding check_authorities(const DestinationConfig& config, const std::string& subject) {
  const auto* const built_in = curl_version_info(CURLVERSION_NOW)->cainfo;
  const std::string file = !config.ca_file.empty() ? config.ca_file : built_in == nullptr ? "" : built_in;
  if (config.insecure) return {Grade::warn, subject + " CA bundle", "insecure = true: anyone on the way can read and change what is sent", "set ca_file instead"};
  if (file.empty()) return {Grade::ok, subject + " CA bundle", "the system's folder"};
  if (::access(file.c_str(), R_OK) == 0) return {Grade::ok, subject + " CA bundle", file};
  return {Grade::fail, subject + " CA bundle", file + " cannot be read", config.ca_file.empty() ? "install ca-certificates" : "put it there, readable by the service"};
}

Finding check_credentials(const DestinationConfig& config) {
  const std::string subject = "upstream " + config.name + " credentials";
  const std::string& file = config.relay_credentials_file;
  const auto identity = read_relay_credentials(file);
  if (!identity) return {Grade::fail, subject, identity.error().detail, "picket upstream credentials generate makes them; the service must be able to read them"};
  struct stat info{};
  if (::stat(file.c_str(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return {Grade::warn, subject, file + " is open to others than its owner", "chmod 600 " + file};
  }
  return {Grade::ok, subject, "of relay " + identity->id() + ", public key " + identity->public_key()};
}

}  // namespace

std::vector<Finding> judge_probe(const DestinationConfig& config, const std::string& origin, const Probe& probe) {
  const std::string subject = "upstream " + config.name;
  if (probe.stage != Stage::answered) return judge_failure(config, subject, origin, probe);
  std::vector<Finding> findings;
  if (config.proxy.empty() && names_host(origin)) findings.push_back({Grade::ok, subject + " DNS", "the name has an address"});
  const auto answer = judge_answer(subject, origin, probe);
  findings.push_back(answer);
  if (probe.certificate_ends) {
    const auto days = std::chrono::duration_cast<std::chrono::hours>(*probe.certificate_ends - probe.asked).count() / 24;
    if (days < 14) {
      findings.push_back({Grade::warn, subject + " certificate", "it ends in " + std::to_string(days) + " days", "have it renewed over there"});
    } else {
      findings.push_back({Grade::ok, subject + " certificate", "valid for " + std::to_string(days) + " more days"});
    }
  }
  // A portal's clock proves nothing.
  if (probe.date && answer.grade != Grade::fail) {
    constexpr auto harmless = std::chrono::seconds(60);
    const auto difference = std::chrono::duration_cast<std::chrono::seconds>(probe.asked - *probe.date);
    if (std::chrono::abs(difference) > harmless) {
      findings.push_back({Grade::warn, subject + " clock", "ours is " + std::to_string(std::abs(difference.count())) + " s " + (difference.count() > 0 ? "ahead of" : "behind") + " the one over there",
                          "set the clock: timedatectl set-ntp true"});
    } else {
      findings.push_back({Grade::ok, subject + " clock", "within " + std::to_string(std::abs(difference.count())) + " s of ours"});
    }
  }
  return findings;
}

std::vector<Finding> check_destinations(const std::vector<DestinationConfig>& configs, const Clock& clock, const ReachOptions& options) {
  if (configs.empty()) return {{Grade::ok, "upstream", "none configured: all stays here"}};
  std::vector<Finding> findings;
  for (const DestinationConfig& config : configs) {
    const auto origins = origins_of(config);
    const bool secure = std::any_of(origins.begin(), origins.end(), [](const std::string& origin) { return origin.starts_with("https:"); });
    if (secure) findings.push_back(check_authorities(config, "upstream " + config.name));
    if (config.managed()) findings.push_back(check_credentials(config));
    for (const std::string& origin : origins) {
      const auto probe = ask(config, origin + std::string(asked_path), clock, options);
      for (auto& finding : judge_probe(config, origin, probe)) findings.push_back(std::move(finding));
    }
  }
  return findings;
}

Finding check_service(const std::string& origin, bool held, const ReachOptions& options) {
  constexpr auto subject = "service";
  DestinationConfig here;
  here.insecure = true;  // its certificate is for the name that others know it by
  here.connect_timeout = std::chrono::seconds(5);
  const SystemClock clock;
  const auto live = ask(here, origin + std::string(asked_path), clock, options);
  if (live.stage != Stage::answered) {
    if (!held) return {Grade::warn, subject, "no Picket serves this data folder", "systemctl start picket, or picket serve"};
    return {Grade::fail, subject, "a Picket holds the data folder, but " + origin + " does not answer: " + printable(live.failure, 300),
            "see its log (journalctl -u picket), and whether server.listen is what it was started with"};
  }
  const auto ready = ask(here, origin + "/api/relay/healthcheck/ready/", clock, options);
  if (!held) {
    return {Grade::warn, subject, "something answers at " + origin + ", but no process that can be seen from here holds this data folder",
            "see what it is: ss -ltnp; and whether --config and --storage are the service's"};
  }
  if (live.status != 200 || is_page(live)) {
    return {Grade::fail, subject, origin + " answers " + std::to_string(live.status) + ", which is no Picket's answer", "another program has the address: ss -ltnp"};
  }
  if (ready.status != 200) {
    return {Grade::fail, subject, "it runs, and takes nothing in (ready/ answers " + std::to_string(ready.status) + ")", "picket status; its log says why: disk full, failed commits, or it is stopping"};
  }
  return {Grade::ok, subject, "runs and is ready at " + origin};
}

}  // namespace picket::upstream
