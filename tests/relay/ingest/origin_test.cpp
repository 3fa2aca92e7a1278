#include "relay/ingest/origin.h"

#include <gtest/gtest.h>

namespace picket::ingest {
namespace {

using Texts = std::vector<std::string>;

TEST(Origins, AreAllowedByHostSchemeAndPort) {
  struct Case {
    std::string allowed;
    std::string origin;
    bool passes;
  };
  const Case cases[] = {
      {"*", "https://anywhere.example", true},
      {"shop.example", "https://shop.example", true},
      {"shop.example", "http://shop.example:8080", true},
      {"Shop.Example", "https://SHOP.example", true},
      {"shop.example", "https://www.shop.example", false},
      {"shop.example", "https://notshop.example", false},
      {"*.shop.example", "https://www.shop.example", true},
      {"*.shop.example", "https://a.b.shop.example", true},
      {"*.shop.example", "https://shop.example", true},
      {"*.shop.example", "https://notshop.example", false},
      {"https://shop.example", "https://shop.example/path?query", true},
      {"https://shop.example", "http://shop.example", false},
      {"shop.example:8080", "https://shop.example:8080", true},
      {"shop.example:8080", "https://shop.example", false},
      {"http://*", "http://any.example", true},
      {"http://*", "https://any.example", false},
      {"[::1]:80", "http://[::1]:80", true},
      {"[::1]", "http://[::1]:80", true},
      {"shop.example", "https://shop.example@evil.example/", false},
  };
  for (const auto& [allowed, origin, passes] : cases)
    EXPECT_EQ(is_allowed_origin({allowed}, origin), passes) << allowed << " " << origin;
}

TEST(Origins, AreNoneForWhatIsNoPage) {
  EXPECT_TRUE(is_allowed_origin({"shop.example"}, ""));
  EXPECT_TRUE(is_allowed_origin({}, "https://x.example"));
  http::RequestHead head;
  EXPECT_EQ(find_origin(head), "");
  head.headers.add("Origin", "null");
  EXPECT_EQ(find_origin(head), "");
  head.headers.set("Origin", "capacitor://localhost");
  EXPECT_EQ(find_origin(head), "");
  head.headers.set("Origin", "https://a.example");
  head.headers.add("Referer", "https://b.example/x");
  EXPECT_EQ(find_origin(head), "https://a.example");
  http::RequestHead page;
  page.headers.add("Referer", "https://b.example/x");
  EXPECT_EQ(find_origin(page), "https://b.example/x");
}

}  // namespace
}  // namespace picket::ingest
