#include "relay/protocol/multipart.h"

#include "buffer/processor_time.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace picket::relay {
namespace {

std::string form(const std::string& inner) {
  return "--b\r\n" + inner + "\r\n--b--\r\n";
}

TEST(FindBoundary, ReadsItQuotedOrNot) {
  EXPECT_EQ(*find_boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(*find_boundary("Multipart/Form-Data;charset=utf-8 ; Boundary=\"a b;c\""), "a b;c");
  for (const char* wrong : {"", "text/plain; boundary=abc", "multipart/form-data", "multipart/form-data; boundary=",
                            "multipart/form-data; boundary=\"\"", "multipart"}) {
    EXPECT_FALSE(find_boundary(wrong)) << wrong;
  }
  EXPECT_FALSE(find_boundary("multipart/form-data; boundary=" + std::string(300, 'x')));
}

TEST(ParseMultipart, GivesFieldsAndFiles) {
  const std::string bytes =
      "preamble\r\n--b \t\r\nContent-Disposition: form-data; name=\"sentry\"\r\n\r\n{\"a\":1}\r\n"
      "--b\r\ncontent-disposition: form-data; name=upload; filename=\"C:\\crash\\a \\\"b\\\".dmp\"\r\n"
      "Content-Type: application/x-dmp\r\n\r\nMDMP\r\n--bb\r\n\n\r\n--b\r\n\r\nnameless\r\n--b--\r\nepilogue";
  const auto parts = parse_multipart(bytes, "b");
  ASSERT_TRUE(parts) << parts.error().detail;
  ASSERT_EQ(parts->size(), 3U);
  EXPECT_EQ((*parts)[0].name, "sentry");
  EXPECT_EQ((*parts)[0].body, "{\"a\":1}");
  EXPECT_FALSE((*parts)[0].is_file);
  EXPECT_EQ((*parts)[1].name, "upload");
  EXPECT_EQ((*parts)[1].filename, "C:\\crash\\a \"b\".dmp");
  EXPECT_EQ((*parts)[1].content_type, "application/x-dmp");
  EXPECT_TRUE((*parts)[1].is_file);
  EXPECT_EQ((*parts)[1].body, "MDMP\r\n--bb\r\n\n");
  EXPECT_EQ((*parts)[2].body, "nameless");
}

TEST(ParseMultipart, ReadsEmptyBodiesAndNoParts) {
  const auto one = parse_multipart(form("Content-Disposition: form-data; name=a\r\n"), "b");
  ASSERT_TRUE(one) << one.error().detail;
  ASSERT_EQ(one->size(), 1U);
  EXPECT_EQ((*one)[0].body, "");
  const auto explicit_empty = parse_multipart(form("Content-Disposition: form-data; name=a\r\n\r\n"), "b");
  ASSERT_TRUE(explicit_empty);
  EXPECT_EQ((*explicit_empty)[0].body, "");
  const auto none = parse_multipart("--b--", "b");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(ParseMultipart, RefusesWhatHasNoEnd) {
  const auto good = form("Content-Disposition: form-data; name=a\r\n\r\nvalue");
  for (std::size_t length = 0; length + 4 < good.size(); ++length) {
    const auto parts = parse_multipart(std::string_view(good).substr(0, length), "b");
    ASSERT_FALSE(parts) << length;
    EXPECT_EQ(parts.error().fault, Fault::malformed);
  }
  EXPECT_TRUE(parse_multipart(good, "b"));
  EXPECT_FALSE(parse_multipart(good, "c"));
}

TEST(ParseMultipart, KeepsToItsLimits) {
  std::string many;
  for (int i = 0; i < 5; ++i) many += "--b\r\n\r\nx\r\n";
  many += "--b--";
  EXPECT_TRUE(parse_multipart(many, "b", {.max_parts = 5}));
  EXPECT_EQ(parse_multipart(many, "b", {.max_parts = 4}).error().fault, Fault::too_large);
  const auto large = form("X: " + std::string(10'000, 'x') + "\r\n\r\nbody");
  EXPECT_EQ(parse_multipart(large, "b").error().fault, Fault::too_large);
  EXPECT_TRUE(parse_multipart(large, "b", {.max_header_bytes = 11'000}));
}

TEST(ParseMultipart, IsLinearInAlmostBoundaries) {
  std::string bytes = "--" + std::string(70, 'a') + "\r\n\r\n";
  while (bytes.size() < 20'000'000) bytes += "\r\n--" + std::string(69, 'a');
  const auto began = thread_processor_time();
  EXPECT_FALSE(parse_multipart(bytes, std::string(70, 'a')));
  EXPECT_LT(thread_processor_time() - began, std::chrono::seconds(5));
}

TEST(GuessBoundary, TakesTheFirstLine) {
  EXPECT_EQ(guess_boundary("--xyz\r\nContent-"), "xyz");
  EXPECT_EQ(guess_boundary("MDMP"), "");
  EXPECT_EQ(guess_boundary("--" + std::string(300, 'x') + "\r\n"), "");
}

}  // namespace
}  // namespace picket::relay
