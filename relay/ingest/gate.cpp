#include "relay/ingest/gate.h"

#include "relay/ingest/origin.h"
#include "relay/ingest/project_settings.h"
#include "relay/protocol/auth.h"

#include <utility>

namespace picket::ingest {
namespace {

// Stands for the dsn of an envelope that has not been read yet.
constexpr std::string_view unread_dsn = "https://00000000000000000000000000000000@unread/1";

Refusal refuse(const relay::AuthError& error) {
  const bool version = error.fault == relay::AuthFault::bad_version;
  return make_refusal(error.status(), error.detail, {}, version ? "auth_version" : "auth_client");
}

std::variant<std::optional<relay::ProjectId>, Refusal> find_project(const Route& route) {
  if (route.project.empty()) return std::optional<relay::ProjectId>();
  auto project = relay::parse_project_id(route.project);
  if (!project) return make_refusal(400, "bad project id", project.error().detail, "project_id");
  return std::optional(*project);
}

std::string find_query_dsn(std::string_view query) {
  for (auto& [name, value] : http::parse_query(query)) {
    if (name == "dsn") return std::move(value);
  }
  return {};
}

}  // namespace

Refusal missing_key() {
  return make_refusal(401, "missing authorization information",
                      "no sentry_key in header, query or envelope", "auth_client");
}

std::variant<Sender, Refusal> Gate::check_key(
    const relay::ProjectKey& key, const std::optional<relay::ProjectId>& claimed) const {
  const auto answer = directory_.find(key);
  if (!answer.known)
    return make_refusal(403, "event rejected", "there is no such project key", "project_state");
  Sender sender{key, answer.entry.project, {}, answer.entry.settings, answer.entry.key_quota};
  const auto rejected = [&](std::string_view cause, std::string_view reason) {
    auto refusal = make_refusal(403, "event rejected", cause, reason);
    refusal.sender = std::move(sender);
    return refusal;
  };
  if (!answer.entry.key_enabled) return rejected("the project key is disabled", "project_state");
  if (!answer.entry.project_enabled) return rejected("the project is disabled", "project_state");
  if (claimed && *claimed != answer.entry.project) {
    return rejected("the key belongs to another project than the address names", "project_id");
  }
  return sender;
}

std::optional<Refusal> Gate::check_origin(const Sender& sender, const http::RequestHead& head) {
  if (!sender.settings || sender.settings->allowed_domains.empty()) return std::nullopt;
  if (is_allowed_origin(sender.settings->allowed_domains, find_origin(head))) return std::nullopt;
  auto refusal = make_refusal(403, "event submission rejected with_reason: Cors",
                              "the origin is none of the project's allowed domains", "cors");
  refusal.sender = sender;
  return refusal;
}

std::variant<std::optional<Sender>, Refusal> Gate::check_head(const http::RequestHead& head,
                                                              const Route& route) const {
  auto project = find_project(route);
  if (auto* refusal = std::get_if<Refusal>(&project)) return std::move(*refusal);

  relay::AuthSources sources;
  sources.x_sentry_auth = head.headers.find("X-Sentry-Auth");
  sources.authorization = head.headers.find("Authorization");
  sources.query = head.query;
  sources.path_key = route.key;
  // The error page's forms name their DSN in the query.
  const auto query_dsn =
      route.endpoint == Endpoint::error_page ? find_query_dsn(head.query) : std::string();
  sources.envelope_dsn = query_dsn.empty() ? unread_dsn : std::string_view(query_dsn);
  auto found = relay::find_auth(sources);
  if (const auto* error = std::get_if<relay::AuthError>(&found)) return refuse(*error);
  auto& auth = std::get<relay::Auth>(found);
  if (auth.project != 0 && query_dsn.empty()) return std::optional<Sender>();

  auto claimed = std::get<std::optional<relay::ProjectId>>(project);
  if (auth.project != 0) claimed = auth.project;
  auto checked = check_key(auth.key, claimed);
  if (auto* refusal = std::get_if<Refusal>(&checked)) return std::move(*refusal);
  auto& sender = std::get<Sender>(checked);
  sender.client = std::move(auth.client);
  if (auto refusal = check_origin(sender, head)) return *std::move(refusal);
  return std::optional(std::move(sender));
}

std::optional<Sender> Gate::find_sender(const relay::ProjectKey& key) const {
  auto checked = check_key(key, std::nullopt);
  if (auto* sender = std::get_if<Sender>(&checked)) return std::move(*sender);
  return std::nullopt;
}

std::variant<Sender, Refusal> Gate::check_dsn(std::optional<Sender> sender,
                                              std::string_view dsn,
                                              const Route& route) const {
  if (dsn.empty()) {
    if (!sender) return missing_key();
    return *std::move(sender);
  }
  const auto parsed = relay::parse_dsn(dsn);
  if (!parsed)
    return make_refusal(400, "bad dsn in envelope header", parsed.error().detail,
                        "invalid_envelope");
  auto project = find_project(route);
  if (auto* refusal = std::get_if<Refusal>(&project)) return std::move(*refusal);
  auto expected = std::get<std::optional<relay::ProjectId>>(project).value_or(parsed->project);
  if (sender) expected = sender->project;
  if (parsed->project != expected || (sender && parsed->key != sender->key)) {
    return make_refusal(400, "dsn mismatch",
                        "the envelope's dsn names another key or project than the request",
                        "multi_project_id");
  }
  if (sender) return *std::move(sender);
  return check_key(parsed->key, parsed->project);
}

}  // namespace picket::ingest
