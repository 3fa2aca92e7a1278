// The formats that crash reporters upload: minidumps, Unreal's archive and its context.
#include "relay/protocol/minidump.h"
#include "relay/protocol/unreal_archive.h"

#include "support/dump_maker.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::relay {
namespace {

using picket::testing::make_minidump;
using picket::testing::make_unreal_archive;

TEST(MinidumpFacts, TellTheSignalAndTheMachine) {
  const auto dump = make_minidump(11, 1'700'000'000);
  ASSERT_TRUE(is_minidump(dump));
  const auto facts = read_minidump_facts(dump);
  EXPECT_EQ(facts.reason, "SIGSEGV");
  EXPECT_EQ(facts.system, "Linux");
  EXPECT_EQ(facts.system_version, "6.1.90");
  EXPECT_EQ(facts.cpu, "x86_64");
  EXPECT_EQ(facts.crashed_at, 1'700'000'000);
}

TEST(MinidumpFacts, ReadWhatIsThereOfACutDump) {
  const auto dump = make_minidump();
  for (std::size_t length = 4; length <= dump.size(); ++length) {
    read_minidump_facts(std::string(dump.substr(0, length)));
  }
  const auto facts = read_minidump_facts("MDMP");
  EXPECT_EQ(facts.reason, "");
  EXPECT_FALSE(facts.crashed_at);
  EXPECT_TRUE(is_minidump("PMDM"));
  EXPECT_FALSE(is_minidump("MDM"));
}

TEST(UnrealArchive, ReadsBothLayouts) {
  const picket::testing::UnrealFiles files = {{"UE4Minidump.dmp", make_minidump()},
                                              {"CrashContext.runtime-xml", "<a/>"},
                                              {"Game.log", "started"},
                                              {"CrashReportClient.ini", ""},
                                              {"other", "x"}};
  for (const bool marked : {true, false}) {
    const auto archive = make_unreal_archive(files, marked);
    const auto parsed = parse_unreal_archive(archive);
    ASSERT_TRUE(parsed) << parsed.error().detail;
    ASSERT_EQ(parsed->size(), 5U);
    EXPECT_EQ((*parsed)[0].kind, UnrealFileKind::minidump);
    EXPECT_EQ((*parsed)[1].kind, UnrealFileKind::context);
    EXPECT_EQ((*parsed)[2].kind, UnrealFileKind::log);
    EXPECT_EQ((*parsed)[2].contents, "started");
    EXPECT_EQ((*parsed)[3].kind, UnrealFileKind::config);
    EXPECT_EQ((*parsed)[4].name, "other");
    for (std::size_t length = 0; length < archive.size(); ++length) {
      EXPECT_FALSE(parse_unreal_archive(std::string(archive.substr(0, length)))) << marked << " " << length;
    }
    EXPECT_FALSE(parse_unreal_archive(archive + "more"));
  }
}

TEST(XmlLeaves, GiveTextsByTheirPaths) {
  const auto leaves = read_xml_leaves(
      "<?xml version=\"1.0\"?><!-- <x>no</x> --><Root><RuntimeProperties a=\"1\"><ErrorMessage>a &lt;b&gt; &#x2014; &amp;c"
      "</ErrorMessage><Empty/><Misc.OS>10</Misc.OS></RuntimeProperties><Data><__sentry>{}</__sentry></Data></Root>");
  ASSERT_EQ(leaves.size(), 3U);
  EXPECT_EQ(leaves[0].first, "RuntimeProperties.ErrorMessage");
  EXPECT_EQ(leaves[0].second, "a <b> \xe2\x80\x94 &c");
  EXPECT_EQ(leaves[1].first, "RuntimeProperties.Misc.OS");
  EXPECT_EQ(leaves[2].first, "Data.__sentry");
}

TEST(XmlLeaves, EndWhereTheyAreNotUnderstood) {
  EXPECT_TRUE(read_xml_leaves("<a><b>text").empty());
  EXPECT_EQ(read_xml_leaves("<r><a>1</a><b>2</c></r>").size(), 1U);
  EXPECT_TRUE(read_xml_leaves("<!-- never ends").empty());
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_TRUE(read_xml_leaves(deep).empty());
  // A name is part of every path below it: a long one would be written a thousand times.
  const std::string name(257, 'n');
  EXPECT_TRUE(read_xml_leaves("<r><" + name + "><a>1</a></" + name + "></r>").empty());
  EXPECT_EQ(read_xml_leaves("<r><" + name.substr(1) + " attribute='x'>1</" + name.substr(1) + "></r>").size(), 1U);
  EXPECT_EQ(read_xml_leaves("<r><a>&bogus; & &#xffffffff;</a></r>")[0].second, "&bogus; & &#xffffffff;");
}

}  // namespace
}  // namespace picket::relay
