#include "relay/filter/event_facts.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::filter {
namespace {

constexpr std::uint8_t everything = need_errors | need_source | need_request | need_user |
                                    need_release | need_transaction;

class EventFactsTest : public ::testing::Test {
 protected:
  EventFacts read(std::string_view text, std::uint8_t needs = everything) {
    text_ = text;
    relay::IndexedJson payload(text_, index_);
    return read_event(payload, needs);
  }

 private:
  std::string text_;
  relay::JsonIndex index_;
};

TEST_F(EventFactsTest, AreReadInOnePassPastWhatNobodyAsksFor) {
  const auto facts = read(R"({"extra":{"release":"no","a":[{"b":[1,{}]}]},"release":"a@1",
      "exception":{"values":[
        {"type":"A","value":"one","stacktrace":{"frames":[{"abs_path":"/x.js"},{"filename":"<anonymous>"}]}},
        null,{"value":"two","mechanism":{"data":{"value":"no"}},"type":"B"}]},
      "request":{"headers":[["Accept","*/*"],["user-agent","UA","more"]],"url":"http://h/"},
      "user":{"geo":{"ip_address":"no"},"ip_address":"::1"},"transaction":"/t"})");
  ASSERT_EQ(facts.errors.size(), 2U);
  EXPECT_EQ(facts.errors[0].type, "A");
  EXPECT_EQ(facts.errors[0].value, "one");
  EXPECT_EQ(facts.errors[0].source, "/x.js");
  EXPECT_EQ(facts.errors[1].type, "B");
  EXPECT_EQ(facts.errors[1].value, "two");
  EXPECT_EQ(facts.release, "a@1");
  EXPECT_EQ(facts.user_agent, "UA");
  EXPECT_EQ(facts.url, "http://h/");
  EXPECT_EQ(facts.user_address, "::1");
  EXPECT_EQ(facts.transaction, "/t");
}

TEST_F(EventFactsTest, HaveNoEscapesLeftInNamesAndTexts) {
  const auto facts = read(R"({"rele\u0061se":"a\/b",
      "exception":[{"ty\u0070e":"\"E\"","value":"a\nb\u00e4"}]})");
  ASSERT_EQ(facts.errors.size(), 1U);
  EXPECT_EQ(facts.release, "a/b");
  EXPECT_EQ(facts.errors[0].type, "\"E\"");
  EXPECT_EQ(facts.errors[0].value, "a\nb\xC3\xA4");
}

TEST_F(EventFactsTest, StopAtTheMostErrors) {
  std::string text = R"({"exception":[)";
  for (int i = 0; i < 60; ++i)
    text += std::string(i == 0 ? "" : ",") + R"({"type":"E"})";
  const auto facts = read(text + R"(],"release":"after"})");
  EXPECT_EQ(facts.errors.size(), EventFacts::most_errors);
  EXPECT_EQ(facts.release, "after");
}

TEST_F(EventFactsTest, AreReadAsFarAsTheJsonGoes) {
  EXPECT_EQ(read(R"({"release":"r" "user":{"ip_address":"1"}})").release, "r");
  EXPECT_EQ(read(R"({"release":"r" "user":{"ip_address":"1"}})").user_address, "");
  EXPECT_EQ(read(R"({"exception":[{"type":"E")").errors.size(), 0U);
  EXPECT_EQ(read(R"([{"release":"r"}])").release, "");
  EXPECT_EQ(read("").release, "");
}

TEST_F(EventFactsTest, OfWrongTypesAreLeftOut) {
  const auto facts = read(R"({"release":1,"exception":"E","request":[],"user":"u","message":{"message":7},
      "transaction":null})");
  EXPECT_EQ(facts.release, "");
  EXPECT_TRUE(facts.errors.empty());
  EXPECT_EQ(facts.message, "");
}

}  // namespace
}  // namespace picket::filter
