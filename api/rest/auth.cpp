#include "api/rest/auth.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/dsn.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>

namespace picket::rest {

const std::array<std::string_view, 25> all_scopes = {
    "org:read",
    "org:write",
    "org:admin",
    "org:integrations",
    "org:ci",
    "member:read",
    "member:write",
    "member:admin",
    "member:invite",
    "team:read",
    "team:write",
    "team:admin",
    "project:read",
    "project:write",
    "project:admin",
    "project:releases",
    "project:distribution",
    "event:read",
    "event:write",
    "event:admin",
    "alerts:read",
    "alerts:write",
    "openid",
    "profile",
    "email",
};

bool is_scope(std::string_view word) {
  return std::find(all_scopes.begin(), all_scopes.end(), word) != all_scopes.end();
}

namespace {

int access_rank(std::string_view access) {
  if (access == "read") return 1;
  if (access == "write") return 2;
  if (access == "admin") return 3;
  return 0;
}

constexpr std::array<std::string_view, 4> roles = {"member", "admin", "manager", "owner"};

// The scopes of each role beyond those of the one before it.
constexpr std::array<std::string_view, 12> member_scopes = {
    "org:read",     "org:ci",           "member:read",  "team:read",
    "project:read", "project:releases", "event:read",   "event:write",
    "event:admin",  "alerts:read",      "alerts:write", "project:distribution"};
constexpr std::array<std::string_view, 5> admin_scopes = {
    "org:integrations", "team:write", "team:admin", "project:write", "project:admin"};
constexpr std::array<std::string_view, 4> manager_scopes = {"org:write", "member:write",
                                                            "member:admin", "member:invite"};

template <std::size_t n>
bool grants(const std::array<std::string_view, n>& scopes, std::string_view wanted) {
  return std::any_of(scopes.begin(), scopes.end(),
                     [&](std::string_view held) { return implies(held, wanted); });
}

}  // namespace

bool implies(std::string_view held, std::string_view wanted) {
  if (held == wanted) return true;
  const auto colon = held.find(':');
  if (colon == std::string_view::npos || wanted.substr(0, colon + 1) != held.substr(0, colon + 1))
    return false;
  const auto held_access = held.substr(colon + 1);
  const auto wanted_access = wanted.substr(colon + 1);
  if (access_rank(wanted_access) > 0) {
    if (held == "member:invite") return wanted_access == "read";
    return access_rank(held_access) > access_rank(wanted_access);
  }
  if (wanted == "org:integrations") return held == "org:admin";
  if (wanted == "member:invite") return access_rank(held_access) >= 2;
  if (wanted == "project:releases" || wanted == "project:distribution")
    return access_rank(held_access) >= 2;
  return false;
}

std::vector<std::string> expand_scopes(const std::vector<std::string>& scopes) {
  std::vector<std::string> expanded;
  for (const auto scope : all_scopes) {
    const bool granted = std::any_of(scopes.begin(), scopes.end(), [&](const std::string& held) {
      return is_scope(held) && implies(held, scope);
    });
    if (granted) expanded.emplace_back(scope);
  }
  return expanded;
}

bool is_role(std::string_view word) {
  return role_rank(word) >= 0;
}

int role_rank(std::string_view role) {
  const auto found = std::find(roles.begin(), roles.end(), role);
  return found == roles.end() ? -1 : static_cast<int>(found - roles.begin());
}

bool role_allows(std::string_view role, std::string_view scope) {
  if (role.empty() || role == "owner") return true;
  const int rank = role_rank(role);
  return rank >= 0 && (grants(member_scopes, scope) || (rank >= 1 && grants(admin_scopes, scope)) ||
                       (rank >= 2 && grants(manager_scopes, scope)));
}

bool Caller::can(std::string_view scope) const {
  const auto& held = token.scopes();
  return role_allows(role, scope) &&
         std::any_of(held.begin(), held.end(),
                     [&](const std::string& one) { return implies(one, scope); });
}

std::string sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

namespace {

Reply unauthorized(std::string_view detail) {
  auto reply = Reply::error(401, detail);
  reply.headers.set("WWW-Authenticate", "Bearer realm=\"api\"");
  return reply;
}

// The words of a header value; more than three are not told apart.
std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (words.size() < 4) {
    const auto from = text.find_first_not_of(" \t");
    if (from == std::string_view::npos) break;
    const auto to = text.find_first_of(" \t", from);
    words.push_back(text.substr(from, to == std::string_view::npos ? to : to - from));
    if (to == std::string_view::npos) break;
    text.remove_prefix(to);
  }
  return words;
}

bool is_bearer(std::string_view word) {
  constexpr std::string_view bearer = "bearer";
  return std::equal(word.begin(), word.end(), bearer.begin(), bearer.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
}

void note_use(Api& api, const schema::Token& token) {
  constexpr std::int64_t interval_ms = 60'000;
  const auto now = to_ms(api.clock.now());
  if (now - token.last_used_ms() < interval_ms) return;
  const auto written = api.tables.write([&](buffer::Batch& batch) {
    auto row = buffer::find_row<schema::Token>(batch, buffer::Table::tokens, token.hash());
    if (!row) return;  // revoked meanwhile
    row->set_last_used_ms(now);
    buffer::put_row(batch, buffer::Table::tokens, token.hash(), *row);
  });
  // A full disk must not stop anybody from reading.
  if (!written)
    log(Level::warning, "rest", "use of a token not noted", {{"reason", written.error().detail}});
}

// "DSN https://key@host/1": may do what takes dsn_scope, in that project.
std::variant<Caller, Reply> authenticate_dsn(const buffer::Reader& reader, std::string_view text) {
  const auto dsn = relay::parse_dsn(text);
  const auto key = dsn ? buffer::find_row<schema::ProjectKey>(reader, buffer::Table::project_keys, dsn->key.hex) : std::nullopt;
  if (!key || key->disabled() || key->project() != dsn->project) return unauthorized("Invalid dsn");
  const auto project = buffer::find_row<schema::Project>(reader, buffer::Table::projects, buffer::Key().u64(key->project()));
  if (!project) return unauthorized("Invalid dsn");
  Caller caller;
  caller.dsn_project = project->id();
  caller.token.set_organization(project->organization());
  caller.token.add_scopes(std::string(dsn_scope));
  return caller;
}

}  // namespace

std::variant<Caller, Reply> authenticate(Api& api, const http::Headers& headers) {
  const auto words = split_words(headers.find("Authorization"));
  if (words.size() == 2 && (words[0] == "DSN" || words[0] == "dsn"))
    return authenticate_dsn(api.tables.snapshot(), words[1]);
  if (words.empty() || !is_bearer(words[0])) {
    return unauthorized("Authentication credentials were not provided.");
  }
  if (words.size() == 1) return unauthorized("Invalid token header. No credentials provided.");
  if (words.size() > 2)
    return unauthorized("Invalid token header. Token string should not contain spaces.");

  const auto hash = sha256(words[1]);
  Caller caller;
  {
    const auto snapshot = api.tables.snapshot();
    const auto row = buffer::find_row<schema::Token>(snapshot, buffer::Table::tokens, hash);
    const bool known = row && row->hash().size() == hash.size() &&
                       CRYPTO_memcmp(row->hash().data(), hash.data(), hash.size()) == 0;
    if (!known)
      return unauthorized(words[1].starts_with("sntrys_") ? "Invalid org token" : "Invalid token");
    caller.token = *row;
    if (row->user() != 0) {
      const auto key = buffer::Key().u64(row->user());
      caller.user = buffer::find_row<schema::User>(snapshot, buffer::Table::users, key);
      if (!caller.user || !caller.user->active()) return unauthorized("User inactive or deleted");
    }
  }
  note_use(api, caller.token);
  return caller;
}

}  // namespace picket::rest
