#include "upstream/send_verb.h"

#include "relay/protocol/dsn.h"
#include "relay/protocol/envelope.h"

#include <curl/curl.h>

#include <boost/json.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace picket::upstream {
namespace {

constexpr std::string_view help =
    "usage: picket send --dsn DSN [--message TEXT] [--level LEVEL] [--json]\n\n"
    "Sends one event and prints its id once it was acknowledged.\n\n"
    "  --dsn DSN       where to; `picket dsn` prints those of this Picket\n"
    "  --message TEXT  default: \"A test event from picket send\"\n"
    "  --level LEVEL   fatal, error (default), warning, info or debug\n"
    "  --json          print {\"id\", \"status\"}\n\n"
    "Example: picket send --dsn http://0123456789abcdef0123456789abcdef@localhost:3000/1\n";

struct Answer {
  long status = 0;
  std::string body;
  std::string failure;
};

std::size_t collect(const char* bytes, std::size_t size, std::size_t count, void* body) {
  constexpr std::size_t most = 64 * 1024;
  auto& text = *static_cast<std::string*>(body);
  if (text.size() < most) text.append(bytes, size * count);
  return size * count;
}

Answer post(const std::string& url, const std::string& auth, const std::string& body) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  Answer answer;
  if (!curl) {
    answer.failure = "libcurl does not start";
    return answer;
  }
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, ("X-Sentry-Auth: " + auth).c_str()), &curl_slist_free_all);
  headers.reset(curl_slist_append(headers.release(), "Content-Type: application/x-sentry-envelope"));
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
    answer.failure = curl_easy_strerror(code);
    return answer;
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

std::string envelope_of(const CommandLine& line, const std::string& id) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::string at = relay::render_timestamp(now_ms);
  const boost::json::object event = {
      {"event_id", id},
      {"timestamp", at},
      {"platform", "other"},
      {"level", line.option("level", "error")},
      {"logger", "picket.send"},
      {"message", line.option("message", "A test event from picket send")},
      {"sdk", {{"name", "picket"}, {"version", PICKET_VERSION}}},
  };
  const std::string payload = boost::json::serialize(event);
  const boost::json::object header = {{"event_id", id}, {"sent_at", at}};
  const boost::json::object item = {{"type", "event"}, {"length", payload.size()}};
  return boost::json::serialize(header) + "\n" + boost::json::serialize(item) + "\n" + payload + "\n";
}

ExitCode send(CommandLine& line) {
  const auto dsn = relay::parse_dsn(line.option("dsn"));
  if (!dsn) {
    line.err << "picket send: --dsn: " << dsn.error().detail << "; `picket dsn` prints those of this Picket\n";
    return ExitCode::usage;
  }
  const std::string id = relay::render_event_id(relay::random_event_id());
  const std::string url = relay::render_origin(*dsn) + "/api/" + std::to_string(dsn->project) + "/envelope/";
  const std::string auth = "Sentry sentry_version=7, sentry_client=picket/" PICKET_VERSION ", sentry_key=" + dsn->key.hex;
  const Answer answer = post(url, auth, envelope_of(line, id));
  if (!answer.failure.empty()) {
    line.err << "picket send: " << relay::render_origin(*dsn) << ": " << answer.failure
             << "; is `picket serve` running there?\n";
    return ExitCode::unavailable;
  }
  if (answer.status < 200 || answer.status > 299) {
    line.err << "picket send: " << relay::render_origin(*dsn) << " answered " << answer.status << ": "
             << answer.body.substr(0, 500) << "\n";
    return ExitCode::no;
  }
  if (line.json()) {
    line.out << boost::json::serialize(boost::json::object{{"id", id}, {"status", answer.status}}) << "\n";
  } else {
    line.out << "acknowledged as " << id << "\n";
  }
  return ExitCode::done;
}

}  // namespace

Command send_command() {
  return {"send", "send a test event to a DSN", help, {"json"}, {"dsn", "message", "level"}, &send};
}

}  // namespace picket::upstream
