#include "relay/protocol/json_index.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::relay {
namespace {

TEST(JsonIndex, FindsWhereEachTokenBeginsAndEnds) {
  const std::string text = "{ \"a\" : [1 , \"x\\\"y\"] }";
  JsonIndex index;
  ASSERT_TRUE(index.build(text));
  ASSERT_EQ(index.size(), 9U);
  EXPECT_EQ(index.content(1), "a");
  EXPECT_EQ(index.raw(4), "1");
  EXPECT_EQ(index.content(6), "x\\\"y");
  EXPECT_EQ(index.begin(8), text.size() - 1);
}

TEST(JsonIndex, PassesOverValuesWhateverIsInThem) {
  JsonIndex index;
  ASSERT_TRUE(index.build(R"({"a":{"b":[[],{}]},"c":1})"));
  EXPECT_EQ(index.content(index.after(3) + 1), "c");
  EXPECT_EQ(index.after(0), index.size());
  EXPECT_EQ(index.after(1), 2U);
}

TEST(JsonIndex, EndsAtTheEndWhereBracketsDoNotMatch) {
  JsonIndex index;
  ASSERT_TRUE(index.build("[[1]"));
  EXPECT_EQ(index.after(0), index.size());
  ASSERT_TRUE(index.build("]]"));
  EXPECT_EQ(index.after(0), index.size());
}

TEST(JsonIndex, SeesEveryEscapeWhereverItStands) {
  for (std::size_t length = 0; length < 40; ++length) {
    for (std::size_t at = 0; at <= length; ++at) {
      auto inner = std::string(length, 'x');
      inner.insert(at, "\\n");
      const auto text = "[\"" + inner + "\"]";
      JsonIndex index;
      ASSERT_TRUE(index.build(text));
      EXPECT_TRUE(index.may_have_escapes(index.content(1))) << text;
    }
    const auto plain = "[\"" + std::string(length, 'x') + "\",\"and more behind it\"]";
    JsonIndex index;
    ASSERT_TRUE(index.build(plain));
    EXPECT_FALSE(index.may_have_escapes(index.content(1))) << plain;
  }
}

TEST(IndexedJson, HasNoIndexOfWhatCannotBeJson) {
  JsonIndex kept;
  EXPECT_EQ(IndexedJson("", kept).index(), nullptr);
  EXPECT_EQ(IndexedJson("{\"a\":\"", kept).index(), nullptr);
  EXPECT_EQ(IndexedJson("\"\xff\"", kept).index(), nullptr);
  EXPECT_NE(IndexedJson("{}", kept).index(), nullptr);
}

TEST(IndexedJson, IsMadeOnceAndKeepsLargeTextsApart) {
  JsonIndex kept;
  IndexedJson small("[1]", kept);
  EXPECT_EQ(small.index(), &kept);
  EXPECT_EQ(small.index()->size(), 3U);
  const auto text = "[\"" + std::string(std::size_t{2} << 20, 'x') + "\"]";
  JsonIndex other;
  IndexedJson large(text, other);
  ASSERT_NE(large.index(), nullptr);
  EXPECT_NE(large.index(), &other);
  EXPECT_EQ(large.index(), large.index());
  EXPECT_EQ(large.index()->content(1).size(), std::size_t{2} << 20);
}

TEST(IsJson, IsTrueOfWholeValuesAlone) {
  EXPECT_TRUE(is_json(R"({"a":[1,null,"\u00e4"]})"));
  EXPECT_FALSE(is_json(R"({"a":})"));
  EXPECT_FALSE(is_json("{} {}"));
  EXPECT_FALSE(is_json(""));
}

}  // namespace
}  // namespace picket::relay
