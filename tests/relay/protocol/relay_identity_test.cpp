#include "relay/protocol/relay_identity.h"

#include "relay/protocol/base64.h"
#include "relay/protocol/hex.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace picket::relay {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(*hex_digit(hex[i]) << 4 | *hex_digit(hex[i + 1]));
  return bytes;
}

// RFC 8032, section 7.1: tests 1, 2 and 3.
struct Vector {
  std::string_view secret, public_key, message, signature;
};
constexpr Vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(Ed25519Key, SignsAsTheStandardSays) {
  for (const Vector& vector : vectors) {
    const auto key = Ed25519Key::from_bytes(from_hex(vector.secret));
    ASSERT_TRUE(key);
    EXPECT_EQ(render_hex(key->public_bytes()), vector.public_key);
    EXPECT_EQ(render_hex(key->sign(from_hex(vector.message))), vector.signature);
    EXPECT_EQ(render_hex(key->secret_bytes()), vector.secret);
  }
}

TEST(Ed25519Key, TakesBothHalvesWhenTheyBelongTogether) {
  const std::string secret = from_hex(vectors[0].secret);
  EXPECT_TRUE(Ed25519Key::from_bytes(secret + from_hex(vectors[0].public_key)));
  EXPECT_FALSE(Ed25519Key::from_bytes(secret + from_hex(vectors[1].public_key)));
  EXPECT_FALSE(Ed25519Key::from_bytes(secret.substr(1)));
  EXPECT_FALSE(Ed25519Key::from_bytes(""));
}

std::string credentials(const std::string& secret, const std::string& public_key, const std::string& id) {
  return R"({"secret_key":")" + secret + R"(","public_key":")" + public_key + R"(","id":")" + id + R"("})";
}
const std::string secret_text = encode_base64_url(from_hex(vectors[0].secret));
const std::string public_text = encode_base64_url(from_hex(vectors[0].public_key));
const std::string id_text = "0190a5c4-5c62-4f6c-9c5f-0a1b2c3d4e5f";

TEST(RelayIdentity, ReadsWhatARelayWrote) {
  const auto identity = RelayIdentity::parse(credentials(secret_text, public_text, id_text));
  ASSERT_TRUE(identity) << identity.error().detail;
  EXPECT_EQ(identity->id(), id_text);
  EXPECT_EQ(identity->public_key(), public_text);
  EXPECT_EQ(public_text.find_first_of("+/="), std::string::npos);
  const auto again = RelayIdentity::parse(identity->render());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->render(), identity->render());
}

TEST(RelayIdentity, SaysWhatIsWrongAndNeverWhatTheSecretIs) {
  for (const auto& [text, words] : {std::pair(std::string("secret: ") + secret_text, "not a JSON object"),
                                    std::pair(credentials("", public_text, id_text), "secret_key is missing"),
                                    std::pair(credentials(secret_text + "!", public_text, id_text), "not base64url"),
                                    std::pair(credentials(secret_text.substr(4), public_text, id_text), "32 or 64 bytes"),
                                    std::pair(credentials(secret_text, public_text, "my-relay"), "id is missing"),
                                    std::pair(credentials(secret_text, encode_base64_url(from_hex(vectors[1].public_key)), id_text),
                                              "does not belong")}) {
    const auto identity = RelayIdentity::parse(text);
    ASSERT_FALSE(identity) << text;
    EXPECT_NE(identity.error().detail.find(words), std::string::npos) << identity.error().detail;
    EXPECT_EQ(identity.error().detail.find(secret_text.substr(4, 12)), std::string::npos);
  }
}

TEST(RelayIdentity, EachOneThatIsMadeIsAnother) {
  const auto one = RelayIdentity::generate();
  const auto other = RelayIdentity::generate();
  EXPECT_NE(one.id(), other.id());
  EXPECT_NE(one.public_key(), other.public_key());
  EXPECT_TRUE(RelayIdentity::parse(one.render()));
}

// Header and body with a zero byte between them; the header travels behind the signature.
TEST(RelayIdentity, SignsTimeAndBody) {
  const auto identity = RelayIdentity::parse(credentials(secret_text, public_text, id_text));
  const auto text = identity->sign("{}", time_from_ms(1'700'000'000'000));
  const auto dot = text.find('.');
  ASSERT_NE(dot, std::string::npos);
  const auto header = parse_base64(text.substr(dot + 1));
  EXPECT_EQ(header, R"({"t":"2023-11-14T22:13:20.000Z"})");
  const auto key = Ed25519Key::from_bytes(from_hex(vectors[0].secret));
  EXPECT_EQ(text.substr(0, dot), encode_base64_url(key->sign(*header + std::string(1, '\0') + "{}")));
  EXPECT_NE(text, identity->sign("[]", time_from_ms(1'700'000'000'000)));
}

}  // namespace
}  // namespace picket::relay
