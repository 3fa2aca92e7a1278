#include "api/rest/auth.h"

#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

http::Request request_with(std::string_view authorization) {
  http::Request request;
  request.head.method = "GET";
  request.head.path = "/api/0/organizations/";
  if (!authorization.empty()) request.head.headers.add("Authorization", std::string(authorization));
  return request;
}

TEST(Scopes, AdminImpliesWriteImpliesReadOfTheSameThingOnly) {
  EXPECT_TRUE(implies("project:admin", "project:read"));
  EXPECT_TRUE(implies("project:write", "project:read"));
  EXPECT_TRUE(implies("org:admin", "org:integrations"));
  EXPECT_TRUE(implies("member:write", "member:invite"));
  EXPECT_FALSE(implies("project:read", "project:write"));
  EXPECT_FALSE(implies("project:admin", "org:read"));
  EXPECT_FALSE(implies("org:admin", "org:ci"));
  EXPECT_FALSE(implies("project:releases", "project:read"));
  EXPECT_FALSE(implies("member:invite", "member:write"));
  EXPECT_FALSE(implies("profile", "email"));
  EXPECT_FALSE(implies("", "org:read"));
}

TEST(Scopes, ExpandsToAllThatIsImpliedAndDropsUnknownWords) {
  const auto expanded = expand_scopes({"event:admin", "rule:everything"});
  EXPECT_EQ(expanded, (std::vector<std::string>{"event:read", "event:write", "event:admin"}));
}

TEST(Roles, LimitWhatATokenGrants) {
  Caller caller;
  for (const auto scope : all_scopes)
    caller.token.add_scopes(std::string(scope));
  caller.role = "member";
  EXPECT_TRUE(caller.can("event:admin"));
  EXPECT_FALSE(caller.can("project:write"));
  EXPECT_FALSE(caller.can("org:write"));
  caller.role = "manager";
  EXPECT_TRUE(caller.can("org:write"));
  EXPECT_FALSE(caller.can("org:admin"));
  caller.role = "owner";
  EXPECT_TRUE(caller.can("org:admin"));
  caller.role = "stranger";
  EXPECT_FALSE(caller.can("org:read"));
}

class Authentication : public Rest {};

TEST_F(Authentication, SaysWhatIsWrongAsSentryDoes) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "Authentication credentials were not provided."},
      {"Basic YWRtaW46", "Authentication credentials were not provided."},
      {"Bearer", "Invalid token header. No credentials provided."},
      {"Bearer a b", "Invalid token header. Token string should not contain spaces."},
      {"Bearer sntryu_" + std::string(64, '0'), "Invalid token"},
      {"Bearer sntrys_abc_def", "Invalid org token"},
      {"Bearer " + std::string(100'000, 'x'), "Invalid token"},
      {std::string("Bearer \0\xff", 9), "Invalid token"},
  };
  for (const auto& [header, detail] : cases) {
    const auto answer = send(request_with(header));
    EXPECT_EQ(answer.status, 401U) << header.substr(0, 40);
    EXPECT_EQ(answer.detail(), detail);
    EXPECT_NE(answer.headers.find("WWW-Authenticate"), "");
  }
}

TEST_F(Authentication, TakesTheSchemeInAnyCase) {
  EXPECT_EQ(send(request_with("bearer " + token)).status, 200U);
  EXPECT_EQ(send(request_with("BEARER   " + token)).status, 200U);
}

TEST_F(Authentication, RefusesATokenThatIsCutOrExtended) {
  EXPECT_EQ(send(request_with("Bearer " + token.substr(0, token.size() - 1))).status, 401U);
  EXPECT_EQ(send(request_with("Bearer " + token + "0")).status, 401U);
  EXPECT_EQ(send(request_with("Bearer " + sha256(token))).status, 401U);
}

TEST_F(Authentication, RefusesInactiveAndMissingUsers) {
  const auto user = make_user("gone", 1, "owner");
  const auto of_user = make_token_for(user, {"org:read"});
  write([&](buffer::Batch& batch) {
    schema::User row;
    row.set_id(user);
    buffer::put_row(batch, buffer::Table::users, buffer::Key().u64(user), row);
  });
  EXPECT_EQ(send(request_with("Bearer " + of_user)).detail(), "User inactive or deleted");
  write([&](buffer::Batch& batch) { batch.remove(buffer::Table::users, buffer::Key().u64(user)); });
  EXPECT_EQ(send(request_with("Bearer " + of_user)).detail(), "User inactive or deleted");
}

TEST_F(Authentication, NotesTheUseOfATokenAtMostOnceAMinute) {
  const auto last_used = [&] {
    return buffer::find_row<schema::Token>(tables_->snapshot(), buffer::Table::tokens,
                                           sha256(token))
        ->last_used_ms();
  };
  clock_.advance(std::chrono::hours(1));
  get("/api/0/organizations/");
  const auto noted = to_ms(clock_.now());
  EXPECT_EQ(last_used(), noted);
  clock_.advance(std::chrono::seconds(59));
  get("/api/0/organizations/");
  EXPECT_EQ(last_used(), noted);
  clock_.advance(std::chrono::seconds(1));
  get("/api/0/organizations/");
  EXPECT_EQ(last_used(), noted + 60'000);
}

TEST_F(Authentication, ARevokedTokenIsRefusedAtOnce) {
  const auto made = make_token({"org:read"});
  EXPECT_EQ(call("GET", "/api/0/organizations/", {}, made).status, 200U);
  write([&](buffer::Batch& batch) { batch.remove(buffer::Table::tokens, sha256(made)); });
  EXPECT_EQ(call("GET", "/api/0/organizations/", {}, made).status, 401U);
}

TEST_F(Authentication, ChecksTheScopesOfEachOperation) {
  struct Case {
    std::string method, path, scope;
    unsigned status;
  };
  const Case cases[] = {
      {"GET", "/api/0/organizations/picket/", "org:read", 200},
      {"GET", "/api/0/organizations/picket/", "org:admin", 200},
      {"GET", "/api/0/organizations/picket/", "project:admin", 403},
      {"PUT", "/api/0/organizations/picket/", "org:read", 403},
      {"PUT", "/api/0/organizations/picket/", "org:write", 200},
      {"GET", "/api/0/projects/picket/default/", "project:read", 200},
      {"GET", "/api/0/projects/picket/default/", "org:read", 403},
      {"PUT", "/api/0/projects/picket/default/", "project:write", 200},
      {"DELETE", "/api/0/projects/picket/default/", "project:write", 403},
      {"GET", "/api/0/projects/picket/default/keys/", "project:read", 200},
      {"POST", "/api/0/projects/picket/default/keys/", "project:read", 403},
      {"GET", "/api/0/organizations/picket/releases/", "org:ci", 200},
      {"POST", "/api/0/organizations/picket/releases/", "org:ci", 400},
      {"DELETE", "/api/0/organizations/picket/releases/1.0/", "org:ci", 403},
      {"GET", "/api/0/organizations/picket/members/", "member:read", 200},
      {"POST", "/api/0/organizations/picket/members/", "member:read", 403},
      {"POST", "/api/0/organizations/picket/members/", "member:invite", 400},
      {"GET", "/api/0/teams/picket/picket/", "team:read", 200},
      {"DELETE", "/api/0/teams/picket/picket/", "team:write", 403},
  };
  for (const auto& [method, path, scope, status] : cases) {
    const auto answer = call(method, path, "{}", make_token({scope}));
    EXPECT_EQ(answer.status, status)
        << method << ' ' << path << " with " << scope << ": " << answer.text;
    if (status != 403) continue;
    EXPECT_EQ(answer.detail(), "You do not have permission to perform this action.");
  }
}

TEST_F(Authentication, ARoleTakesAwayWhatTheTokenWouldGrant) {
  const auto user = make_user("junior", 1, "member");
  const auto all =
      make_token_for(user, std::vector<std::string>(all_scopes.begin(), all_scopes.end()));
  EXPECT_EQ(call("GET", "/api/0/projects/picket/default/", {}, all).status, 200U);
  EXPECT_EQ(call("DELETE", "/api/0/projects/picket/default/", {}, all).status, 403U);
  EXPECT_EQ(call("PUT", "/api/0/organizations/picket/", "{\"name\":\"mine\"}", all).status, 403U);
}

TEST_F(Authentication, TenantsDoNotSeeEachOther) {
  const auto other = make_organization("other");
  write([&](buffer::Batch& batch) {
    create_project(
        batch,
        {.organization = other, .slug = "secret", .name = "secret", .platform = {}, .team = 0},
        clock_.now());
  });
  const auto stranger =
      make_token_for(make_user("stranger", other, "owner"),
                     std::vector<std::string>(all_scopes.begin(), all_scopes.end()));
  const auto bound = make_token({"org:read", "project:read"}, other, false);
  for (const auto& with : {stranger, bound}) {
    EXPECT_EQ(call("GET", "/api/0/organizations/other/", {}, with).status, 200U);
    EXPECT_EQ(call("GET", "/api/0/organizations/picket/", {}, with).status, 403U);
    EXPECT_EQ(call("GET", "/api/0/organizations/1/", {}, with).status, 403U);
    EXPECT_EQ(call("GET", "/api/0/organizations/nobody/", {}, with).status, 404U);
    EXPECT_EQ(call("GET", "/api/0/projects/picket/default/", {}, with).status, 403U);
    // By its number, under the own organization's name.
    EXPECT_EQ(call("GET", "/api/0/projects/other/1/", {}, with).status, 404U);
    EXPECT_EQ(call("GET", "/api/0/projects/other/default/", {}, with).status, 404U);
    const auto list = call("GET", "/api/0/organizations/", {}, with);
    ASSERT_EQ(list.json.as_array().size(), 1U);
    EXPECT_EQ(list.json.at(0).at("slug"), "other");
    const auto projects = call("GET", "/api/0/projects/", {}, with);
    ASSERT_EQ(projects.json.as_array().size(), 1U);
    EXPECT_EQ(projects.json.at(0).at("slug"), "secret");
  }
  EXPECT_EQ(call("GET", "/api/0/organizations/other/").status, 403U);
  EXPECT_EQ(call("GET", "/api/0/teams/other/1/", {}, stranger).status, 404U);
}

TEST_F(Authentication, AKeyOfAnotherProjectIsNotFoundUnderThisOne) {
  const auto made = call("POST", "/api/0/teams/picket/picket/projects/", "{\"name\":\"second\"}");
  ASSERT_EQ(made.status, 201U);
  EXPECT_EQ(get("/api/0/projects/picket/default/keys/" + first.public_key + "/").status, 200U);
  EXPECT_EQ(get("/api/0/projects/picket/second/keys/" + first.public_key + "/").status, 404U);
  EXPECT_EQ(call("DELETE", "/api/0/projects/picket/second/keys/" + first.public_key + "/").status,
            404U);
}

}  // namespace
}  // namespace picket::rest
