#include "relay/protocol/json_repair.h"

#include <gtest/gtest.h>

namespace picket::relay {
namespace {

TEST(RepairJson, KeepsGoodJsonByteForByte) {
  for (const std::string_view text :
       {R"({"a":[1,2.5e3,null,true,"x\n\"\\\u00e9\ud83d\ude00"],"é":"日本"})", "[]", "",
        "  {} \n"}) {
    EXPECT_EQ(repair_json(text), text);
  }
}

TEST(RepairJson, TurnsNumbersThatAreNoneIntoNull) {
  EXPECT_EQ(repair_json(R"({"a":NaN,"b":Infinity,"c":[-Infinity,NaN]})"),
            R"({"a":null,"b":null,"c":[null,null]})");
}

TEST(RepairJson, LeavesTheSameWordsInStringsAlone) {
  EXPECT_EQ(repair_json(R"({"NaN":"-Infinity \" NaN"})"), R"({"NaN":"-Infinity \" NaN"})");
}

TEST(RepairJson, ReplacesLoneSurrogates) {
  EXPECT_EQ(repair_json(R"("a\ud800b")"),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_EQ(repair_json(R"("\udc00")"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(repair_json(R"("\ud800\u0041")"), "\"\xef\xbf\xbd\\u0041\"");
  EXPECT_EQ(repair_json(R"("\ud800\ud83d\ude00")"), "\"\xef\xbf\xbd\\ud83d\\ude00\"");
}

TEST(RepairJson, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(repair_json("\"a\xff"
                        "b\""),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_EQ(repair_json("\"\xc0\xaf\""), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(repair_json("\"\xed\xa0\x80\""), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(repair_json("\"\xe2\x82\""), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(RepairJson, EscapesRawControlCharacters) {
  EXPECT_EQ(repair_json("\"a\nb\x01\""), "\"a\\u000ab\\u0001\"");
}

TEST(RepairJson, TurnsNumbersThatNoParserTakesIntoOnesThatFit) {
  EXPECT_EQ(repair_json("[1e999,18446744073709551615,18446744073709551616,-9223372036854775809]"),
            "[null,18446744073709551615,18446744073709551616.0,-9223372036854775809.0]");
}

TEST(RepairJson, KeepsTheBackslashOfAnUnknownEscape) {
  EXPECT_EQ(repair_json(R"("C:\Users\x")"), R"("C:\\Users\\x")");
}

TEST(RepairJson, DropsAByteOrderMark) {
  EXPECT_EQ(repair_json("\xef\xbb\xbf{}"), "{}");
}

TEST(RepairUtf8, ReplacesWhatIsNone) {
  EXPECT_EQ(repair_utf8("a\xff-"), "a\xef\xbf\xbd-");
}

TEST(RepairJson, EndsOnWhateverIsCutShort) {
  for (const std::string_view text : {"\"", "\"\\", "\"\\u", "\"\\ud8", "\"\\ud800\\",
                                      "\"\\ud800\\u00", "\"\xf0\x9f", "Na", "-"}) {
    EXPECT_LE(repair_json(text).size(), 6 * text.size());
  }
}

}  // namespace
}  // namespace picket::relay
