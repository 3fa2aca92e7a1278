#include "relay/http/message.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace picket::http {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct RecordingSink final : Responder::Sink {
  void send(Response response) override { sent.push_back(std::move(response)); }
  std::vector<Response> sent;
};

TEST(Headers, FindIgnoresCaseAndGivesTheFirst) {
  Headers headers;
  headers.add("X-Thing", "one");
  headers.add("x-thing", "two");
  EXPECT_EQ(headers.find("X-THING"), "one");
  EXPECT_TRUE(headers.contains("x-Thing"));
  EXPECT_FALSE(headers.contains("x-thin"));
  EXPECT_EQ(headers.find("absent"), "");
}

TEST(Headers, SetReplacesEveryRepetition) {
  Headers headers;
  headers.add("A", "1");
  headers.add("a", "2");
  headers.add("b", "3");
  headers.set("A", "4");
  EXPECT_EQ(headers.all(), (Pairs{{"b", "3"}, {"A", "4"}}));
}

TEST(Headers, CaseFoldingIsOnlyOfLetters) {
  Headers headers;
  headers.add("a[b", "1");
  EXPECT_FALSE(headers.contains("a{b"));
}

TEST(PercentDecode, DecodesAndKeepsWhatIsNoEscape) {
  EXPECT_EQ(percent_decode("a%20b%2Fc", false), "a b/c");
  EXPECT_EQ(percent_decode("100%", false), "100%");
  EXPECT_EQ(percent_decode("%4", false), "%4");
  EXPECT_EQ(percent_decode("%zz%41", false), "%zzA");
  EXPECT_EQ(percent_decode("%%41", false), "%A");
  EXPECT_EQ(percent_decode("%00", false), std::string(1, '\0'));
  EXPECT_EQ(percent_decode("%ff", false), "\xff");
}

TEST(PercentDecode, PlusIsASpaceOnlyWhereAsked) {
  EXPECT_EQ(percent_decode("a+b%2B", true), "a b+");
  EXPECT_EQ(percent_decode("a+b", false), "a+b");
}

TEST(PercentEncode, KeepsUnreservedOnlyAndIsUndoneByDecode) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("a b/ü"), "a%20b%2F%C3%BC");
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte)
    every_byte += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(every_byte), true), every_byte);
}

TEST(ParseQuery, KeepsOrderRepetitionsAndEmptyValues) {
  EXPECT_EQ(parse_query("a=1&b=&a=2&c"), (Pairs{{"a", "1"}, {"b", ""}, {"a", "2"}, {"c", ""}}));
}

TEST(ParseQuery, DecodesNamesAndValuesAfterSplitting) {
  EXPECT_EQ(parse_query("q=is%3Aunresolved+a%26b%3Dc&k%20k=v=w"),
            (Pairs{{"q", "is:unresolved a&b=c"}, {"k k", "v=w"}}));
}

TEST(ParseQuery, SkipsEmptyPairs) {
  EXPECT_EQ(parse_query("&&a=1&"), (Pairs{{"a", "1"}}));
  EXPECT_TRUE(parse_query("").empty());
}

TEST(Responder, ThatDiesUnusedAnswers500) {
  auto sink = std::make_shared<RecordingSink>();
  { const Responder responder(sink); }
  ASSERT_EQ(sink->sent.size(), 1U);
  EXPECT_EQ(sink->sent[0].status, 500U);
}

TEST(Responder, AnswersOnceHoweverOftenItMoves) {
  auto sink = std::make_shared<RecordingSink>();
  {
    Responder first(sink);
    Responder second(std::move(first));
    std::move(second).respond({.status = 204, .headers = {}, .body = {}});
  }
  ASSERT_EQ(sink->sent.size(), 1U);
  EXPECT_EQ(sink->sent[0].status, 204U);
}

TEST(Responder, OverwrittenUnusedAnswers500) {
  auto first = std::make_shared<RecordingSink>();
  auto second = std::make_shared<RecordingSink>();
  Responder responder(first);
  responder = Responder(second);
  ASSERT_EQ(first->sent.size(), 1U);
  EXPECT_EQ(first->sent[0].status, 500U);
  EXPECT_TRUE(second->sent.empty());
}

TEST(ReasonPhrase, KnowsWhatWeAnswerAndSurvivesWhatWeDoNot) {
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(429), "Too Many Requests");
  EXPECT_EQ(reason_phrase(799), "Unknown");
}

}  // namespace
}  // namespace picket::http
