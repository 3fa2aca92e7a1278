#include "relay/protocol/auth.h"

#include "relay/protocol/hex.h"
#include "relay/protocol/json_object.h"

#include <algorithm>
#include <optional>

namespace picket::relay {
namespace {

// What one source says, undigested.
struct Claim {
  std::optional<std::string> key;
  std::string version;
  std::string client;
  bool repeated = false;  // the key was given twice
};

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return lower(x) == lower(y); });
}

// The rest after `scheme` and blanks; nothing when the header has another scheme.
std::optional<std::string_view> after_scheme(std::string_view header, std::string_view scheme) {
  const auto end = std::min(header.find_first_of(" \t"), header.size());
  if (!equal_ignoring_case(header.substr(0, end), scheme)) return std::nullopt;
  return trim(header.substr(end));
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const auto high = hex_digit(text[i + 1]);
      const auto low = hex_digit(text[i + 2]);
      if (high && low) {
        decoded += static_cast<char>(*high << 4 | *low);
        i += 2;
        continue;
      }
    }
    decoded += text[i] == '+' ? ' ' : text[i];
  }
  return decoded;
}

void note(Claim& claim, std::string_view name, std::string value) {
  if (name == "sentry_key") {
    claim.repeated = claim.repeated || claim.key.has_value();
    claim.key = std::move(value);
  } else if (name == "sentry_version") {
    claim.version = std::move(value);
  } else if (name == "sentry_client") {
    claim.client = std::move(value);
  }
}

// k=v, k="v", …
Claim parse_pairs(std::string_view list) {
  Claim claim;
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    const auto pair = trim(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    auto value = trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    note(claim, trim(pair.substr(0, equals)), std::string(value));
  }
  return claim;
}

Claim parse_query_claim(std::string_view query) {
  Claim claim;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    if (!pair.starts_with("sentry_") || equals == pair.size()) continue;
    note(claim, pair.substr(0, equals), percent_decoded(pair.substr(equals + 1)));
  }
  return claim;
}

std::optional<unsigned> base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0' + 52);
  if (c == '+' || c == '-') return 62U;
  if (c == '/' || c == '_') return 63U;
  return std::nullopt;
}

// The user of Basic credentials; nothing when they are not base64.
std::optional<std::string> basic_user(std::string_view credentials) {
  while (credentials.ends_with('='))
    credentials.remove_suffix(1);
  std::string decoded;
  unsigned bits = 0;
  int held = 0;
  for (const char c : credentials) {
    const auto value = base64_value(c);
    if (!value) return std::nullopt;
    bits = (bits << 6 | *value) & 0xfff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    decoded += static_cast<char>(bits >> held & 0xff);
  }
  return decoded.substr(0, decoded.find(':'));
}

// `7`, and `2.0` of the oldest clients. -1 when it is no version at all.
int parse_version(std::string_view text) {
  if (text.empty()) return newest_protocol_version;
  const auto dot = std::min(text.find('.'), text.size());
  const auto whole = parse_whole_number(text.substr(0, dot));
  if (!whole || *whole > 1000) return -1;
  if (dot < text.size() && !parse_whole_number(text.substr(dot + 1))) return -1;
  return static_cast<int>(*whole);
}

// It is passed on in a header of our own making, so nothing may stay that would end or extend one.
std::string cleaned_client(std::string_view client) {
  constexpr std::size_t longest = 128;
  std::string cleaned;
  for (const char c : trim(client).substr(0, longest)) {
    if (c >= ' ' && c < '\x7f' && c != ',') cleaned += c;
  }
  return cleaned;
}

std::variant<Auth, AuthError> judge(const Claim& claim) {
  if (claim.repeated)
    return AuthError{AuthFault::multiple, "multiple authorization payloads detected"};
  if (!claim.key)
    return AuthError{AuthFault::malformed, "bad sentry auth header: missing sentry_key"};
  auto key = parse_auth_key(*claim.key);
  if (!key) return AuthError{AuthFault::bad_key, "bad sentry_key: " + key.error().detail};
  const int version = parse_version(claim.version);
  if (version < 0 || version > newest_protocol_version) {
    return AuthError{AuthFault::bad_version,
                     "unsupported protocol version (" + cleaned_client(claim.version) + ")"};
  }
  return Auth{*std::move(key), version, cleaned_client(claim.client), 0};
}

std::variant<Auth, AuthError> judge_dsn(std::string_view text) {
  auto dsn = parse_dsn(text);
  if (!dsn)
    return AuthError{AuthFault::bad_key, "bad dsn in envelope header: " + dsn.error().detail};
  return Auth{std::move(dsn->key), newest_protocol_version, {}, dsn->project};
}

// Basic credentials may be meant for a proxy in front of us, so they are a source only with a key.
std::optional<Claim> basic_claim(std::string_view authorization) {
  const auto credentials = after_scheme(authorization, "basic");
  if (!credentials) return std::nullopt;
  Claim claim;
  claim.key = basic_user(*credentials).value_or("");
  return claim;
}

}  // namespace

unsigned AuthError::status() const {
  switch (fault) {
    case AuthFault::missing:
    case AuthFault::multiple:
    case AuthFault::malformed: return 401;
    case AuthFault::bad_version:
    case AuthFault::bad_key: return 400;
  }
  return 401;
}

Result<ProjectKey> parse_auth_key(std::string_view text) {
  return parse_project_key(text.substr(0, text.find('.')));
}

std::variant<Auth, AuthError> find_auth(const AuthSources& sources) {
  std::optional<Claim> found;
  bool several = false;
  const auto offer = [&](std::optional<Claim> claim) {
    if (!claim) return;
    several = several || found.has_value();
    found = std::move(claim);
  };

  if (const auto header = trim(sources.x_sentry_auth); !header.empty()) {
    offer(parse_pairs(after_scheme(header, "sentry").value_or(header)));
  }
  const auto authorization = trim(sources.authorization);
  if (const auto list = after_scheme(authorization, "sentry")) offer(parse_pairs(*list));
  if (auto query = parse_query_claim(sources.query); query.key) offer(std::move(query));
  if (!sources.path_key.empty()) offer(Claim{std::string(sources.path_key), {}, {}});

  auto basic = basic_claim(authorization);
  if (basic && parse_auth_key(*basic->key)) offer(std::exchange(basic, std::nullopt));

  if (several) return AuthError{AuthFault::multiple, "multiple authorization payloads detected"};
  if (found) return judge(*found);
  if (!sources.envelope_dsn.empty()) return judge_dsn(sources.envelope_dsn);
  if (basic) return judge(*basic);
  return AuthError{AuthFault::missing, "missing authorization information"};
}

}  // namespace picket::relay
