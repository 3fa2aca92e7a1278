// From payloads to what they are grouped by; the rules themselves are tested with api/grouping.
#include "api/digest/grouping.h"

#include "api/digest/grouping_book.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace picket::digest {
namespace {

std::string hashes(std::string_view json) {
  const auto event = parse_event(json);
  EXPECT_TRUE(event) << json;
  std::string text;
  for (const auto& hash : hashes_of(*event)) {
    if (!text.empty()) text += ' ';
    text += render_hash(hash);
  }
  return text;
}

std::string md5(std::string_view text) {
  return render_hash(relay::md5_of(text));
}

TEST(Grouping, ReadsExceptionsAndTheirFrames) {
  EXPECT_EQ(hashes(R"({"platform":"python","exception":{"values":[{"type":"E","value":"v","stacktrace":{"frames":[
              {"module":"lib","function":"l"},
              {"module":"m","function":"f","context_line":" x = 1 ","in_app":true}]}}]}})"),
            md5("mfx = 1E") + " " + md5("liblmfx = 1E"));
}

TEST(Grouping, ReadsStacksBesideAnException) {
  EXPECT_EQ(hashes(R"({"exception":{"type":"E","value":"v"},"stacktrace":{"frames":[{"module":"m","function":"f"}]}})"),
            md5("mfE"));
}

TEST(Grouping, ReadsAStackAlone) {
  EXPECT_EQ(hashes(R"({"stacktrace":{"frames":[{"module":"m","function":"f"}]},"message":"x"})"), md5("mf"));
}

TEST(Grouping, ReadsPackagesRawFunctionsAndSourceMaps) {
  EXPECT_EQ(hashes(R"j({"platform":"native","exception":[{"type":"E","stacktrace":{"frames":[
              {"function":"start","package":"/usr/lib/system/libdyld.dylib"},{"function":"shop::pay(int)"}]}}]})j"),
            md5("shop::payE"));
  EXPECT_EQ(hashes(R"j({"platform":"csharp","exception":[{"type":"E","stacktrace":{"frames":[
              {"function":"Pay","raw_function":"Pay (int sum)"}]}}]})j"),
            md5("Pay (int sum)E"));
  EXPECT_EQ(hashes(R"j({"platform":"javascript","exception":[{"type":"E","stacktrace":{"frames":[
              {"function":"f","module":"m","context_line":"pay()","data":{"sourcemap":"https://x/a.map"}}]}}]})j"),
            md5("mpay()E"));
}

TEST(Grouping, ReadsMechanisms) {
  EXPECT_EQ(hashes(R"({"exception":[{"type":"E","value":"v","mechanism":{"type":"x","synthetic":true},
              "stacktrace":{"frames":[{"module":"m","function":"f"}]}}]})"),
            md5("mf"));
  EXPECT_EQ(hashes(R"({"exception":[{"type":"E","value":"v","mechanism":{"type":"x","meta":{"ns_error":{"domain":"D","code":-7}}}}]})"),
            md5("ED-7"));
  EXPECT_EQ(hashes(R"({"exception":[
              {"type":"A","value":"a","mechanism":{"type":"chained","exception_id":1,"parent_id":0}},
              {"type":"G","value":"g","mechanism":{"type":"x","exception_id":0,"is_exception_group":true}}]})"),
            md5("Aa"));
}

TEST(Grouping, ReadsTheOneThreadThatMatters) {
  const auto stack = [](std::string_view function) {
    return R"("stacktrace":{"frames":[{"module":"m","function":")" + std::string(function) + "\"}]}";
  };
  EXPECT_EQ(hashes(R"({"threads":[{"crashed":true,)" + stack("f") + "},{" + stack("g") + "}]}"), md5("mf"));
  EXPECT_EQ(hashes(R"({"threads":[{"current":true,)" + stack("f") + "},{" + stack("g") + "}]}"), md5("mf"));
  EXPECT_EQ(hashes(R"({"threads":[{)" + stack("g") + "}]}"), md5("mg"));
  EXPECT_EQ(hashes(R"({"threads":[{)" + stack("f") + "},{" + stack("g") + R"(}],"message":"x"})"), md5("x"));
  EXPECT_EQ(hashes(R"({"threads":[{"crashed":true,)" + stack("f") + R"(},{"crashed":true,)" + stack("g") + R"(}],"message":"x"})"),
            md5("x"));
  EXPECT_EQ(hashes(R"({"threads":[{"crashed":true}],"message":"x"})"), md5("x"));
  EXPECT_EQ(hashes(R"({"threads":[{"crashed":true,)" + stack("f") + "}]," + stack("own") + "}"), md5("mf"));
}

TEST(Grouping, ReadsMessages) {
  EXPECT_EQ(hashes(R"({"logentry":{"message":"user %s","params":["a"],"formatted":"user a"}})"), md5("user %s"));
  EXPECT_EQ(hashes(R"({"message":"user 7"})"), md5("user <int>"));
}

TEST(Grouping, ReadsReportsAndTemplates) {
  EXPECT_EQ(hashes(R"({"csp":{"effective_directive":"img-src","blocked_uri":"https://evil.example/a.png"}})"),
            md5("img-srcevil.example"));
  EXPECT_EQ(hashes(R"({"type":"hpkp","hpkp":{"hostname":"shop.example"}})"), md5("hpkpshop.example"));
  EXPECT_EQ(hashes(R"({"type":"expectct","expectct":{"hostname":"shop.example"}})"), md5("expect-ctshop.example"));
  EXPECT_EQ(hashes(R"({"type":"expectstaple","expectstaple":{"hostname":"shop.example"}})"), md5("expect-stapleshop.example"));
  EXPECT_EQ(hashes(R"({"template":{"filename":"a.html","context_line":"b","lineno":1}})"), md5("a.htmlb"));
}

TEST(Grouping, ReadsFingerprints) {
  EXPECT_EQ(hashes(R"({"fingerprint":["a","{{ transaction }}","{{ tags.color }}"],"transaction":"/t","tags":{"color":"red"}})"),
            md5("a/tred"));
  EXPECT_EQ(hashes(R"({"fingerprint":["{{ default }}","eu"],"message":"x"})"), md5("xeu"));
}

TEST(Grouping, PutsEventsThatSayNothingTogether) {
  EXPECT_EQ(hashes("{}"), md5(""));
  EXPECT_EQ(hashes(R"({"extra":{"a":1}})"), md5(""));
}

TEST(GroupingConfig, IsReadFromAProjectsSettings) {
  const auto config = grouping_config(R"({"other":1,"fingerprintingRules":"message:x -> \"a b\"\n","groupingEnhancements":""})");
  const auto event = parse_event(R"({"message":"x"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(hashes_of(*event, config), std::vector{relay::md5_of("a b")});
}

TEST(GroupingConfig, LeavesOutRulesThatCannotBeRead) {
  const auto event = parse_event(R"({"message":"x"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(hashes_of(*event, grouping_config(R"({"fingerprintingRules":"nonsense"})")), std::vector{relay::md5_of("x")});
  EXPECT_EQ(hashes_of(*event, grouping_config("not json")), std::vector{relay::md5_of("x")});
}

}  // namespace
}  // namespace picket::digest
