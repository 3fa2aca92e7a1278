// The promise that holds the two readers together: the digest reads the same from a payload as it came
// and from what normalisation makes of it.
#include "api/digest/derived_tags.h"
#include "api/digest/grouping.h"
#include "api/digest/parsed_batch.h"
#include "api/digest/title.h"
#include "normalize_fixture.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <set>

namespace picket::digest {
namespace {

// All that becomes rows.
std::string facts(std::string_view payload, EventSource source) {
  auto event = parse_event(payload);
  if (!event) return "unreadable";
  settle(*event, source);
  std::string all;
  const auto add = [&](std::string_view name, std::string_view value) { all.append(name).append("=").append(value).append("\n"); };
  add("type", wire_name(event->type));
  add("level", wire_name(event->level_or_default()));
  add("time", std::to_string(corrected_timestamp(event->timestamp_ms, source.sent_at_ms, source.received_ms, source.max_age)));
  add("platform", event->platform.empty() ? "other" : event->platform);
  add("logger", event->logger);
  add("release", event->release);
  add("environment", event->environment);
  add("trace", event->trace_id);
  add("handled", event->handled() ? (*event->handled() ? "yes" : "no") : "");
  const auto title = title_of(*event);
  add("title", title.title);
  add("culprit", title.culprit);
  add("metadata", title.metadata_json);
  for (const auto& hash : hashes_of(*event)) add("hash", render_hash(hash));
  TextArena arena;
  std::set<std::string> tags;
  for (const auto& tag : tags_of(*event, arena)) tags.insert(std::string(tag.key) + ":" + std::string(tag.value));
  for (const auto& tag : tags) add("tag", tag);
  return all;
}

void expect_agreement(std::string_view payload, const EventSource& source) {
  const auto made = normalize(payload, source, nullptr);
  const auto read = facts(payload, source);
  if (!made) {
    EXPECT_EQ(read, "unreadable");
    return;
  }
  auto after = source;
  after.sent_at_ms = 0;  // its drift is out
  const auto text = boost::json::serialize(made->event);
  EXPECT_EQ(facts(text, after), read) << payload.substr(0, 4000) << "\n" << text.substr(0, 4000);
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::string payload() {
    std::string json;
    add_object(json, pick(12) + 1, 0);
    return json;
  }

  std::size_t pick(std::size_t below) { return random_() % below; }

 private:
  static const std::vector<std::string>& names() {
    static const std::vector<std::string> all = {
        "exception", "stacktrace", "threads", "tags", "user", "request", "contexts", "logentry", "message", "level", "platform", "logger", "release", "dist",
        "environment", "server_name", "site", "transaction", "culprit", "fingerprint", "sdk", "timestamp", "type", "csp", "csp-report", "sentry.interfaces.Exception",
        "sentry.interfaces.Message", "sentry.interfaces.User", "sentry.interfaces.Http", "extra", "breadcrumbs", "values", "frames", "value", "module", "mechanism",
        "handled", "synthetic", "function", "filename", "abs_path", "lineno", "in_app", "crashed", "current", "id", "email", "username", "ip_address", "url", "headers",
        "env", "REMOTE_ADDR", "User-Agent", "Sec-CH-UA", "Sec-CH-UA-Platform", "browser", "os", "client_os", "runtime", "device", "trace", "trace_id", "name", "version",
        "raw_description", "model", "family", "processor_frequency", "processor_count", "memory_size", "formatted", "params", "effective_directive", "violated-directive",
        "blocked_uri", "blocked-uri", "settings", "infer_ip", "key", "body", "a", "a b", "\xc3\xa4"};
    return all;
  }

  void add_scalar(std::string& json) {
    static const std::vector<std::string> all = {
        "null", "true", "false", "0", "1", "-1", "2.5", "1e300", "18446744073709551615", "123456789012345678901234567890", "1700000000", "\"\"", "\" \"", "\"a\"", "\"b c\"",
        "\"x\\ny\"", "\"TypeError: no\"", "\"http://h/p/a.js?q=1#f\"", "\"/srv/a.py\"", "\"?\"", "\"error\"", "\"default\"", "\"transaction\"", "\"csp-violation\"",
        "\"javascript\"", "\"python\"", "\"native\"", "\"warning\"", "\"1.0\"", "\"a/b\"", "\"latest\"", "\"none\"", "\"prod\"", "\"{{auto}}\"", "\"10.0.0.1\"", "\"::1\"",
        "\"never\"", "\"auto\"", "\"{{ default }}\"", "\"{{ tags.a }}\"", "\"{{ message }}\"", "\"hi %s {} %(a)s\"", "\"0123456789abcdef0123456789abcdef\"",
        "\"Mozilla/5.0 (Windows NT 10.0) Firefox/120.0\"", "\"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Version/17.1 Safari/604.1\"",
        "\"\\\"Chromium\\\";v=\\\"120\\\", \\\"Edge\\\";v=\\\"121\\\"\"", "\"Microsoft Windows 10.0.1\"", "\"script-src 'self'\"", "\"iPhone\"", "\"\\u0000\"", "\"\\ud83d\\ude00\"",
        "\"2023-11-14T22:13:20.5Z\""};
    if (pick(30) == 0) {
      json.append("\"").append(pick(400), 'x').append("\"");
    } else {
      json += all[pick(all.size())];
    }
  }

  void add_object(std::string& json, std::size_t count, int depth) {
    json += '{';
    for (std::size_t i = 0; i < count; ++i) {
      json.append(i ? ",\"" : "\"").append(names()[pick(names().size())]).append("\":");
      add_value(json, depth);
    }
    json += '}';
  }

  // All into one text: what is nested is not copied again at every level.
  void add_value(std::string& json, int depth) {
    const auto kind = pick(10);
    if (depth > 6 || kind < 4) return add_scalar(json);
    const auto count = pick(5);
    if (kind < 7) return add_object(json, count, depth + 1);
    json += '[';
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) json += ',';
      add_value(json, depth + 1);
    }
    json += ']';
  }

  std::mt19937 random_;
};

// Payloads of the usual shape, each part of which is usual or anything at all.
std::string shaped(Generator& generator, std::uint32_t seed) {
  static const std::vector<std::pair<std::string, std::string>> usual = {
      {"exception", R"({"values":[{"type":"E","value":"v %s","mechanism":{"type":"m","handled":false},"stacktrace":{"frames":[{"filename":"http://h/a.js","function":"f","in_app":true},{"abs_path":"/b.py"}]}}]})"},
      {"stacktrace", R"({"frames":[{"function":"g","module":"mod"}]})"},
      {"threads", R"([{"crashed":true,"stacktrace":{"frames":[{"function":"t"}]}}])"},
      {"tags", R"({"a":"1","environment":"tagged","release":"no","server_name":"tag"})"},
      {"user", R"({"id":1,"ip_address":"{{auto}}"})"},
      {"request", R"({"url":"http://h/p?q#f","env":{"REMOTE_ADDR":"10.1.1.1"},"headers":{"user-agent":"Mozilla/5.0 (Linux; Android 10; Pixel 7) Chrome/120.0.0.0 Mobile"}})"},
      {"contexts", R"({"os":{"name":"Linux"},"device":{"family":"iPhone","processor_frequency":2500},"trace":{"trace_id":"0123456789abcdef0123456789abcdef"}})"},
      {"logentry", R"({"message":"m %s","params":["x"]})"},
      {"message", R"("plain")"},
      {"platform", R"("javascript")"},
      {"release", R"("1.0")"},
      {"environment", R"("prod")"},
      {"server_name", R"("web")"},
      {"transaction", R"("/a/123")"},
      {"fingerprint", R"(["{{ default }}","{{ tags.server_name }}"])"},
      {"timestamp", "1700000000.25"},
      {"csp", R"({"violated_directive":"img-src x"})"},
  };
  std::mt19937 random(seed);
  std::string json = "{";
  for (const auto& [name, value] : usual) {
    const auto choice = random() % 4;
    if (choice == 0) continue;
    json += (json.size() > 1 ? ",\"" : "\"") + name + "\":" + (choice == 1 ? generator.payload() : value);
  }
  return json + "}";
}

TEST(NormalizeAgreement, OverGeneratedPayloads) {
  for (std::uint32_t seed = 0; seed < 4000 && !::testing::Test::HasFailure(); ++seed) {
    Generator generator(seed);
    auto source = from_event(seed % 5 == 4 ? "feedback" : seed % 5 == 3 ? "transaction" : "event");
    if (seed % 3 == 0) source.sent_at_ms = received_at - 2 * 3600 * 1000;
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_agreement(seed % 2 ? generator.payload() : shaped(generator, seed), source);
  }
}

TEST(NormalizeAgreement, OverRealPayloads) {
  const char* named = std::getenv("PICKET_SHARED_DATA");
  const auto corpus =
      (named != nullptr ? std::filesystem::path(named) : std::filesystem::path(PICKET_SOURCE_DIR) / ".." / "shared" / "data") / "corpus";
  std::error_code missing;
  if (!std::filesystem::is_directory(corpus, missing)) {
    std::cout << "normalize_agreement_test: skipped, no " << corpus << "\n";
    GTEST_SKIP();
  }
  std::size_t read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".json" || entry.file_size() > 4'000'000) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string payload{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    SCOPED_TRACE(entry.path().string());
    expect_agreement(payload, from_event());
    read += parse_event(payload) ? 1 : 0;
  }
  std::cout << "normalize_agreement_test: " << read << " payloads\n";
  EXPECT_GT(read, 250U);
}

}  // namespace
}  // namespace picket::digest
