#include "relay/protocol/content_brotli.h"

#include "relay/protocol/content_encoding.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::relay {
namespace {

TEST(EncodeBrotli, ComesBackAsItWasAtEveryLevel) {
  std::string text = R"({"platform":"python","exception":{"values":[{"type":"ValueError","stacktrace":{"frames":[)";
  for (int i = 0; i < 200; ++i) text += R"({"filename":"app/views.py","function":"handler_)" + std::to_string(i * 7'919) + R"(","lineno":)" + std::to_string(i) + "},";
  for (const std::string& one : {text, std::string(), std::string(1, '\0'), std::string(100'000, 'x')}) {
    for (const int level : {-1, 0, 1, 5, 11, 19}) {
      const auto back = decode(encode_brotli(one, level), Coding::br, one.size());
      ASSERT_TRUE(back) << level << ": " << back.error().detail;
      EXPECT_TRUE(*back == one) << level;
    }
  }
  EXPECT_LT(encode_brotli(text, 11).size(), encode_gzip(text, 9).size());
}

}  // namespace
}  // namespace picket::relay
