// Every status that Relay has for what may come, case by case over a real socket; and the shape of
// the answers.
#include "relay/ingest/served.h"

#include <ostream>

namespace picket::ingest {
namespace {

enum class KeyIn { query, nowhere };

struct Case {
  std::string_view name;
  unsigned status;
  std::string_view method;
  std::string_view target;
  std::string_view body = {};
  std::string_view header = {};  // "Name: value"
  KeyIn key = KeyIn::query;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

constexpr std::string_view store = "/api/1/store/";
constexpr std::string_view envelope = "/api/1/envelope/";
constexpr std::string_view traces = "/api/1/integration/otlp/v1/traces";
constexpr std::string_view json = "Content-Type: application/json";
constexpr std::string_view dump_type = "Content-Type: application/x-dmp";
constexpr std::string_view form_type = "Content-Type: multipart/form-data; boundary=b";
constexpr std::string_view form_with_file = "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\nMDMP\r\n--b--\r\n";
constexpr std::string_view attachments = "/api/1/events/9ec79c33ec9942ab8353589fcb2e04dc/attachments/";
constexpr std::string_view good = "{}\n{\"type\":\"event\"}\n{}\n";

const Case cases[] = {
    {"envelope", 200, "POST", envelope, good},
    {"envelope_without_slash", 200, "POST", "/api/1/envelope", good},
    {"envelope_with_slashes", 200, "POST", "//api///1//envelope//", good},
    {"envelope_of_any_type", 200, "POST", envelope, good, "Content-Type: image/png"},
    {"envelope_without_items", 200, "POST", envelope, "{}"},
    {"envelope_with_empty_encoding", 200, "POST", envelope, good, "Content-Encoding: "},
    {"envelope_with_utf8_encoding", 200, "POST", envelope, good, "Content-Encoding: utf-8"},
    {"store", 200, "POST", store, "{}"},
    {"legacy_store", 200, "POST", "/api/store/", "{}"},
    {"store_of_an_envelope", 200, "POST", store, good, "Content-Type: application/x-sentry-envelope"},
    {"store_picture", 200, "GET", "/api/1/store/?sentry_data=e30=&"},
    {"security", 200, "POST", "/api/1/security/", R"({"csp-report":{}})", json},
    {"csp_report", 200, "POST", "/api/1/csp-report/", R"({"csp-report":{}})", json},
    {"nel", 200, "POST", "/api/1/nel/", R"([{"body":{}}])", json},
    {"otlp_json", 200, "POST", traces, "{}", json},
    {"otlp_protobuf", 200, "POST", traces, "", "Content-Type: application/x-protobuf"},
    {"check_in", 202, "GET", "/api/1/cron/job/?status=ok&"},
    {"check_in_head", 202, "HEAD", "/api/1/cron/job/?status=ok&"},
    {"check_in_post", 202, "POST", "/api/1/cron/job/", R"({"status":"ok"})", json},
    {"vercel_logs", 202, "POST", "/api/1/integration/vercel/logs", "[]", json},
    {"minidump", 200, "POST", "/api/1/minidump/", "MDMP", dump_type},
    {"minidump_without_slash", 200, "POST", "/api/1/minidump", "MDMP", "Content-Type: application/octet-stream"},
    {"attachments", 201, "POST", attachments, form_with_file, form_type},
    {"preflight", 200, "OPTIONS", envelope, {}, {}, KeyIn::nowhere},
    {"preflight_of_check_in", 200, "OPTIONS", "/api/1/cron/job/", {}, {}, KeyIn::nowhere},
    {"live", 200, "GET", "/api/relay/healthcheck/live/", {}, {}, KeyIn::nowhere},
    {"ready", 200, "GET", "/api/relay/healthcheck/ready/", {}, {}, KeyIn::nowhere},

    {"bad_project_id", 400, "POST", "/api/shop/envelope/", good},
    {"project_zero_padded_letters", 400, "POST", "/api/1x/envelope/", good},
    {"malformed_key", 400, "POST", "/api/1/envelope/?sentry_key=abc", good, {}, KeyIn::nowhere},
    {"newer_protocol", 400, "POST", "/api/1/envelope/?sentry_version=8&", good},
    {"invalid_envelope", 400, "POST", envelope, "nonsense"},
    {"empty_envelope", 400, "POST", envelope, ""},
    {"length_past_the_end", 400, "POST", envelope, "{}\n{\"type\":\"event\",\"length\":9}\n{}"},
    {"no_newline_after_payload", 400, "POST", envelope, "{}\n{\"type\":\"event\",\"length\":2}\n{}x"},
    {"internal_item", 400, "POST", envelope, "{}\n{\"type\":\"integration\"}\n{}\n"},
    {"dsn_mismatch", 400, "POST", envelope,
     "{\"dsn\":\"https://0f0e0d0c0b0a09080706050403020100@x/1\"}\n{\"type\":\"event\"}\n{}\n"},
    {"invalid_compression", 400, "POST", envelope, "nonsense", "Content-Encoding: gzip"},
    {"empty_store", 400, "POST", store, ""},
    {"store_of_no_json", 400, "POST", store, "{"},
    {"store_of_an_array", 400, "POST", store, "[]"},
    {"store_of_no_base64", 400, "POST", store, "***"},
    {"store_of_bad_zlib", 400, "POST", store, "eJxxxx"},
    {"picture_without_data", 400, "GET", store},
    {"security_of_no_json", 400, "POST", "/api/1/security/", "x", json},
    {"empty_security", 400, "POST", "/api/1/security/", "", json},
    {"nel_of_no_json", 400, "POST", "/api/1/nel/", "x", json},
    {"check_in_without_status", 400, "GET", "/api/1/cron/job/"},
    {"check_in_of_no_status", 400, "GET", "/api/1/cron/job/?status=good&"},
    {"empty_minidump", 400, "POST", "/api/1/minidump/", "", dump_type},
    {"minidump_of_something_else", 400, "POST", "/api/1/minidump/", "ELF", dump_type},
    {"minidump_of_no_form", 400, "POST", "/api/1/minidump/", "MDMP", json},
    {"minidump_in_a_form_without_end", 400, "POST", "/api/1/minidump/", form_with_file.substr(0, 60), form_type},
    {"minidump_in_a_form_without_it", 400, "POST", "/api/1/minidump/", form_with_file, form_type},
    {"unreal_of_no_archive", 400, "POST", "/api/1/unreal/a1b2c3d4e5f60718293a4b5c6d7e8f90/", "x", {}, KeyIn::nowhere},
    {"attachments_of_no_event", 400, "POST", "/api/1/events/latest/attachments/", form_with_file, form_type},
    {"attachments_of_no_form", 400, "POST", attachments, "x", form_type},
    {"otlp_of_no_json", 400, "POST", traces, "[", json},
    {"otlp_of_no_protobuf", 400, "POST", traces, "\x0a\x7f", "Content-Type: application/x-protobuf"},

    {"no_key", 401, "POST", envelope, good, {}, KeyIn::nowhere},
    {"no_key_for_store", 401, "POST", store, "{}", {}, KeyIn::nowhere},
    {"no_key_for_security", 401, "POST", "/api/1/security/", "{}", json, KeyIn::nowhere},
    {"no_key_for_check_in", 401, "GET", "/api/1/cron/job/?status=ok", {}, {}, KeyIn::nowhere},
    {"no_key_for_minidump", 401, "POST", "/api/1/minidump/", "MDMP", dump_type, KeyIn::nowhere},
    {"two_keys", 401, "POST", envelope, good,
     "X-Sentry-Auth: Sentry sentry_key=a1b2c3d4e5f60718293a4b5c6d7e8f90"},
    {"malformed_auth", 401, "POST", envelope, good, "X-Sentry-Auth: Sentry", KeyIn::nowhere},

    {"unknown_key", 403, "POST", "/api/1/envelope/?sentry_key=ffffffffffffffffffffffffffffffff", good,
     {}, KeyIn::nowhere},
    {"disabled_key", 403, "POST", "/api/1/store/?sentry_key=11111111111111111111111111111111", "{}", {},
     KeyIn::nowhere},
    {"disabled_project", 403, "POST", "/api/3/store/?sentry_key=22222222222222222222222222222222", "{}",
     {}, KeyIn::nowhere},
    {"key_of_another_project", 403, "POST", "/api/2/envelope/", good},
    {"unknown_key_of_check_in", 403, "GET",
     "/api/1/cron/job/ffffffffffffffffffffffffffffffff/?status=ok", {}, {}, KeyIn::nowhere},

    {"no_endpoint", 404, "POST", "/api/1/nothing/", good},
    {"no_relay_endpoint", 404, "GET", "/api/relay/nothing/", {}, {}, KeyIn::nowhere},
    {"autoscaling", 404, "GET", "/api/relay/autoscaling/", {}, {}, KeyIn::nowhere},
    {"get_envelope", 405, "GET", envelope},
    {"delete_store", 405, "DELETE", store},
    {"put_check_in", 405, "PUT", "/api/1/cron/job/?status=ok&"},

    {"unknown_encoding", 415, "POST", envelope, good, "Content-Encoding: lzma"},
    {"security_of_another_type", 415, "POST", "/api/1/security/", "{}", "Content-Type: text/plain"},
    {"nel_of_another_type", 415, "POST", "/api/1/nel/", "[]", "Content-Type: text/plain"},
    {"otlp_of_another_type", 415, "POST", traces, "{}", "Content-Type: text/plain"},
    {"otlp_of_no_type", 415, "POST", traces, "{}"},
};

class StatusTable : public ServedIngest, public ::testing::WithParamInterface<Case> {
 protected:
  std::optional<testing::HttpReply> send(const Case& c) {
    auto target = std::string(c.target);
    if (c.key == KeyIn::query) {
      if (!target.ends_with('&')) target += '?';
      target += "sentry_key=" + std::string(good_key);
    }
    std::vector<std::pair<std::string, std::string>> headers;
    if (!c.header.empty()) {
      const auto colon = c.header.find(": ");
      headers.emplace_back(c.header.substr(0, colon), c.header.substr(colon + 2));
    }
    testing::HttpClient client(server->port());
    return client.request(std::string(c.method), target, std::string(c.body), headers);
  }
};

TEST_P(StatusTable, IsRelays) {
  const auto& c = GetParam();
  const auto reply = send(c);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, static_cast<int>(c.status)) << reply->body;
  EXPECT_EQ(reply->header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(reply->header("Access-Control-Expose-Headers"),
            "x-sentry-error, x-sentry-rate-limits, retry-after");
  if (c.status < 400) return;
  EXPECT_TRUE(reply->body.starts_with(R"({"detail":")")) << reply->body;
  EXPECT_EQ(reply->header("Content-Type"), "application/json");
  EXPECT_FALSE(reply->header("X-Sentry-Error").empty());
  EXPECT_TRUE(stored().empty());
}

INSTANTIATE_TEST_SUITE_P(Relay,
                         StatusTable,
                         ::testing::ValuesIn(cases),
                         [](const auto& each) { return std::string(each.param.name); });

// What needs a body of some size: refused by its length, by its content, and by what it inflates to.
TEST_F(ServedIngest, Answers413WhateverMakesItTooLarge) {
  struct Large {
    std::string target;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  const auto key = "?sentry_key=" + std::string(good_key);
  const std::string mebibytes(std::size_t{9} << 20, 'x');
  const std::string event(std::size_t{1} << 20, 'x');
  const std::pair<std::string, std::string> type{"Content-Type", "application/json"};
  for (const auto& [target, body, headers] : {
           Large{"/api/1/envelope/" + key, mebibytes, {}},
           Large{"/api/1/envelope/" + key, relay::encode_gzip(mebibytes, 6), {{"Content-Encoding", "gzip"}}},
           Large{"/api/1/envelope/" + key, "{}\n{\"type\":\"event\"}\n\"" + event + "\"\n", {}},
           Large{"/api/1/envelope/" + key, "{}\n{\"type\":\"check_in\"}\n\"" + event + "\"\n", {}},
           Large{"/api/1/store/" + key, "{\"message\":\"" + event + "\"}", {}},
           Large{"/api/1/security/" + key, R"({"csp-report":")" + event + "\"}", {type}},
           Large{"/api/1/cron/job/" + key, "{\"status\":\"" + event + "\"}", {type}},
           Large{"/api/1/integration/otlp/v1/logs" + key, std::string(std::size_t{13} << 20, ' '), {type}},
       }) {
    testing::HttpClient client(server->port());
    const auto reply = client.request("POST", target, body, headers);
    ASSERT_TRUE(reply) << target;
    EXPECT_EQ(reply->status, 413) << target;
  }
  EXPECT_TRUE(stored().empty());
}

// What depends on a project's settings: 403 to pages of elsewhere, 429 where there is no room left, except to those
// who must not hear it.
TEST_F(ServedIngest, Answers403ToOtherOriginsAnd429WithoutRoom) {
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    schema::Project project;
    project.set_id(1);
    project.set_options_json(R"({"allowedDomains":["shop.example"],"options":{"picket:quotas":[{"id":"none",
        "categories":["error","default","transaction","session","attachment","log_item","span","monitor","security"],"limit":0}]}})");
    buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(1), project);
    batch.put(buffer::Table::meta, "projects_generation", buffer::Key().u64(7));
  }));
  ingest->refresh_projects();
  struct Asked {
    std::string_view target;
    int status;
    std::string_view body;
    std::string_view type;
    bool limited;
  };
  constexpr Asked asked[] = {
      {envelope, 429, good, "text/plain", true},
      {store, 429, "{}", "text/plain", true},
      {"/api/1/security/", 429, R"({"csp-report":{"document-uri":"https://shop.example/"}})", "application/csp-report", true},
      {traces, 429, R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789abcdef","name":"n","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]})", "application/json", true},
      {attachments, 429, form_with_file, "multipart/form-data; boundary=b", true},
      {"/api/1/nel/", 200, R"([{"type":"network-error","body":{}}])", "application/json", false},
      {"/api/1/cron/job/", 202, R"({"status":"ok"})", "application/json", false},
      {"/api/1/minidump/", 200, "MDMP", "application/x-dmp", false},
  };
  for (const auto& [target, status, body, type, limited] : asked) {
    testing::HttpClient client(server->port());
    const auto address = std::string(target) + "?sentry_key=" + std::string(good_key);
    const auto reply = client.request("POST", address, std::string(body), {{"Content-Type", std::string(type)}});
    ASSERT_TRUE(reply) << target;
    EXPECT_EQ(reply->status, status) << target << reply->body;
    EXPECT_EQ(!reply->header("Retry-After").empty(), limited) << target;
    if (limited) {
      EXPECT_FALSE(reply->header("X-Sentry-Rate-Limits").empty()) << target;
    }
    const auto elsewhere = client.request("POST", address, std::string(body), {{"Content-Type", std::string(type)}, {"Origin", "https://evil.example"}});
    ASSERT_TRUE(elsewhere) << target;
    EXPECT_EQ(elsewhere->status, 403) << target;
  }
  EXPECT_TRUE(stored().empty());
}

}  // namespace
}  // namespace picket::ingest
