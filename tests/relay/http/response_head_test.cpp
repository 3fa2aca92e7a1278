#include "relay/http/response_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace picket::http {
namespace {

std::string render(const Response& response, Framing framing = {}) {
  framing.date = "DATE";
  std::string head;
  render_head(head, response, framing);
  return head;
}

TEST(RenderHead, IsTheStatusLineOurFieldsThenTheServices) {
  Response response;
  response.headers.add("X-Sentry-Error", "no");
  response.body = "{}";
  EXPECT_EQ(render(response),
            "HTTP/1.1 200 OK\r\nServer: picket\r\nDate: DATE\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\nX-Sentry-Error: no\r\n\r\n");
}

TEST(RenderHead, GivesNoLengthWhereABodyIsForbidden) {
  EXPECT_EQ(render({.status = 204, .headers = {}, .body = {}}),
            "HTTP/1.1 204 No Content\r\nServer: picket\r\nDate: DATE\r\n\r\n");
  EXPECT_EQ(render({.status = 304, .headers = {}, .body = {}}).find("Content-Length"),
            std::string::npos);
}

TEST(RenderHead, AnEmptyBodyHasALengthAndNoType) {
  const auto head = render({.status = 200, .headers = {}, .body = {}});
  EXPECT_NE(head.find("Content-Length: 0\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Content-Type"), std::string::npos);
}

TEST(RenderHead, LeavesOutFieldsThatAreTheServersOwn) {
  Response response;
  for (const char* name : {"content-length", "Date", "SERVER", "Connection", "Transfer-Encoding"}) {
    response.headers.add(name, "forged");
  }
  EXPECT_EQ(render(response).find("forged"), std::string::npos);
}

TEST(RenderHead, SaysWhatBecomesOfTheConnection) {
  EXPECT_NE(render({}, {.date = {}, .close = true}).find("\r\nConnection: close\r\n"),
            std::string::npos);
  EXPECT_NE(render({}, {.date = {}, .http10 = true}).find("\r\nConnection: keep-alive\r\n"),
            std::string::npos);
  EXPECT_EQ(render({}).find("Connection"), std::string::npos);
}

TEST(IsSafe, RefusesWhatCouldForgeAHeader) {
  const std::vector<std::string> values = {"a\r\nSet-Cookie: b", "a\nb", "a\rb",
                                           std::string("a\0b", 3), "\x7f"};
  for (const auto& value : values) {
    Response response;
    response.headers.add("X-Reflected", value);
    EXPECT_FALSE(is_safe(response));
    Response typed;
    typed.content_type = value;
    EXPECT_FALSE(is_safe(typed));
  }
  for (const char* name : {"", "a b", "a:b", "a\r\n", "\xc3\xbc"}) {
    Response response;
    response.headers.add(name, "v");
    EXPECT_FALSE(is_safe(response)) << name;
  }
  Response fine;
  fine.headers.add("Link", "<https://x/?a=b>; rel=\"next\"\tü");
  EXPECT_TRUE(is_safe(fine));
}

TEST(DateText, IsAnHttpDateAndFollowsTheClock) {
  DateText date;
  EXPECT_EQ(date.at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(784'111'778), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(date.at(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(ErrorResponse, HasTheShapeOfSentrysErrors) {
  const auto response = error_response(413, "too large");
  EXPECT_EQ(response.status, 413U);
  EXPECT_EQ(response.body, R"({"detail":"too large","causes":[]})");
}

}  // namespace
}  // namespace picket::http
