#include "relay/protocol/msgpack.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::relay {
namespace {

using namespace std::string_literals;

std::string json_of(std::string bytes) {
  std::string_view rest = bytes;
  auto json = read_msgpack(rest, 1 << 20);
  EXPECT_TRUE(json) << json.error().detail;
  EXPECT_TRUE(rest.empty());
  return json ? *json : std::string();
}

TEST(ReadMsgpack, ReadsEveryKindOfValue) {
  EXPECT_EQ(json_of("\xc0"s), "null");
  EXPECT_EQ(json_of("\xc2"s), "false");
  EXPECT_EQ(json_of("\xc3"s), "true");
  EXPECT_EQ(json_of("\x7f"s), "127");
  EXPECT_EQ(json_of("\xe0"s), "-32");
  EXPECT_EQ(json_of("\xcc\xff"s), "255");
  EXPECT_EQ(json_of("\xcd\x01\x00"s), "256");
  EXPECT_EQ(json_of("\xce\x00\x01\x00\x00"s), "65536");
  EXPECT_EQ(json_of("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"s), "18446744073709551615");
  EXPECT_EQ(json_of("\xd0\x80"s), "-128");
  EXPECT_EQ(json_of("\xd1\xff\xfe"s), "-2");
  EXPECT_EQ(json_of("\xd2\xff\xff\xff\xfd"s), "-3");
  EXPECT_EQ(json_of("\xd3\xff\xff\xff\xff\xff\xff\xff\xfc"s), "-4");
  EXPECT_EQ(json_of("\xca\x3f\xc0\x00\x00"s), "1.5");
  EXPECT_EQ(json_of("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"s), "1.5");
  EXPECT_EQ(json_of("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"s), "null");
  EXPECT_EQ(json_of("\xa3" "a\"b"s), R"("a\"b")");
  EXPECT_EQ(json_of("\xd9\x02hi"s), R"("hi")");
  EXPECT_EQ(json_of("\xc4\x02\x01\x02"s), "null");
  EXPECT_EQ(json_of("\xd6\xff\x00\x00\x00\x01"s), "null");
  EXPECT_EQ(json_of("\x93\x01\xc0\x90"s), "[1,null,[]]");
  EXPECT_EQ(json_of("\x82\xa1" "a\x01\x02\x80"s), R"({"a":1,"2":{}})");
  EXPECT_EQ(json_of("\xdc\x00\x01\xc3"s), "[true]");
  EXPECT_EQ(json_of("\xde\x00\x01\xa1k\xa1v"s), R"({"k":"v"})");
}

TEST(ReadMsgpack, RefusesWhatIsCutShortOrLies) {
  const auto whole = "\x82\xa1" "a\x93\x01\xc0\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xa3key\xd9\x03xyz"s;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::string_view rest(whole.data(), length);
    EXPECT_FALSE(read_msgpack(rest, 1 << 20)) << length;
  }
  // A billion elements in a handful of bytes; a key that is a list; an unused tag.
  for (const auto& lie : {"\xdd\x3f\xff\xff\xff\x01"s, "\xdb\xff\xff\xff\xffx"s, "\x81\x90\x01"s, "\xc1"s}) {
    std::string_view rest = lie;
    EXPECT_EQ(read_msgpack(rest, 1 << 20).error().fault, Fault::malformed);
  }
}

TEST(ReadMsgpack, KeepsToDepthAndSize) {
  std::string deep(1'000, '\x91');
  deep += '\xc0';
  std::string_view rest = deep;
  EXPECT_EQ(read_msgpack(rest, 1 << 20).error().fault, Fault::malformed);
  const auto wide = "\xdc\xff\xff"s + std::string(65'535, '\xc0');
  rest = wide;
  EXPECT_EQ(read_msgpack(rest, 1'000).error().fault, Fault::too_large);
}

TEST(ReadMsgpackStream, GivesWhatCameBeforeTheCut) {
  const auto stream = "\x81\xa1" "a\x01\x81\xa1" "b\x02\x81\xa1"s;
  EXPECT_EQ(read_msgpack_stream(stream, 1'000), (std::vector<std::string>{R"({"a":1})", R"({"b":2})"}));
  EXPECT_EQ(read_msgpack_stream(stream, 8).size(), 1U);
  EXPECT_TRUE(read_msgpack_stream("", 8).empty());
}

}  // namespace
}  // namespace picket::relay
