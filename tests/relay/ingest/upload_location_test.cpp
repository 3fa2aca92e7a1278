#include "relay/ingest/upload_location.h"

#include <gtest/gtest.h>

namespace picket::ingest {
namespace {

constexpr std::string_view secret = "a secret";
const UploadLocation place{42, "00112233445566778899aabbccddeeff", 1234};

TEST(UploadLocation, IsReadAsItWasRendered) {
  const auto text = render_upload_location(place, secret);
  EXPECT_TRUE(text.starts_with("/api/42/upload/00112233445566778899aabbccddeeff/?length=1234&signature=")) << text;
  EXPECT_EQ(parse_upload_location(text, secret), place);
}

TEST(UploadLocation, MayHaveBeenMadeAbsoluteOrComeThroughAProxy) {
  const auto text = render_upload_location(place, secret);
  EXPECT_EQ(parse_upload_location("https://host:3000" + text, secret), place);
  EXPECT_EQ(parse_upload_location("https://host/some/where" + text, secret), place);
  EXPECT_EQ(parse_upload_location("//api//42" + text.substr(7) + "&sentry_key=abc#there", secret), place);
  auto without_slash = text;
  without_slash.erase(without_slash.find("/?"), 1);
  EXPECT_EQ(parse_upload_location(without_slash, secret), place);
}

TEST(UploadLocation, IsNoneWhenAnythingSignedIsChanged) {
  const auto text = render_upload_location(place, secret);
  EXPECT_FALSE(parse_upload_location(text, "another secret"));
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char c : {'0', 'z', '/', '?', '%'}) {
      auto changed = text;
      if (changed[at] == c) continue;
      changed[at] = c;
      const auto read = parse_upload_location(changed, secret);
      EXPECT_FALSE(read) << changed;
    }
  }
}

TEST(UploadLocation, IsNoneWhenItIsSomethingElse) {
  for (const std::string_view text :
       {"", "/", "?", "/api/42/upload/", "?length=1&signature=", "/api/42/upload/00112233445566778899aabbccddeeff/",
        "/api/42/upload/00112233445566778899aabbccddeeff/?length=1234", "upload/x?length=1&signature=2"}) {
    EXPECT_FALSE(parse_upload_location(text, secret)) << text;
  }
  EXPECT_FALSE(parse_upload_location(render_upload_location(place, secret) + std::string(3000, 'x'), secret));
}

}  // namespace
}  // namespace picket::ingest
