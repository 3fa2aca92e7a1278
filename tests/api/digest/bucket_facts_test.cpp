#include "api/digest/bucket_facts.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <vector>

namespace picket::digest {
namespace {

using facts::ValueType;

constexpr std::int64_t received_ms = 1'700'000'000'000;

struct Read {
  ContainerRead counted;
  std::vector<std::string> facts;  // "column=value …" in the order of the columns, "@s" the seconds
};

std::string render(const facts::FactRows& rows, std::size_t index) {
  const auto& row = rows.row(index);
  std::string text = "@" + std::to_string(row.time_ns / 1'000'000'000);
  for (std::uint32_t i = 0; i < row.cells; ++i) {
    const auto& cell = rows.cells(row)[i];
    const auto& column = rows.columns()[cell.column];
    char number[40];
    std::snprintf(number, sizeof number, "%g", std::bit_cast<double>(cell.bits));
    text += " " + column.name + "=" +
            (column.type == ValueType::number ? std::string(number) : std::string(rows.text_of(cell.bits)));
  }
  return text;
}

Read collect(const ContainerRead& counted, const facts::FactRows& rows) {
  Read read{counted, {}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows.row(i).place.index, i);
    read.facts.push_back(render(rows, i));
  }
  return read;
}

const FactContext context{.project = 7, .sequence = 3, .item = 1, .received_ms = received_ms, .sent_at_ms = 0,
                          .max_age = std::chrono::hours(24 * 30)};

Read statsd(std::string_view payload) {
  facts::FactRows rows;
  const auto counted = read_statsd_facts(payload, context, rows);
  return collect(counted, rows);
}
Read buckets(std::string_view payload) {
  facts::FactRows rows;
  bool repaired = false;
  const auto json = parse_json(payload, repaired);
  EXPECT_TRUE(json);
  const auto counted = json ? read_bucket_facts(*json, context, rows) : ContainerRead();
  return collect(counted, rows);
}
using Facts = std::vector<std::string>;

TEST(Statsd, CountersAreSumsDistributionsValuesSetsMembers) {
  const auto read = statsd("hits@none:4.5:21:17.0|c|#route:index|T1699999990\n"
                           "time@millisecond:36:49|d|#route:index,env:prod|T1699999991\r\n"
                           "\n"
                           "users:7:ada|s\n"
                           "load:25:17:42:220:85|g\n"
                           "load:3|g|@0.5|#empty:,flag");
  EXPECT_EQ(read.counted.accepted, 5U);
  EXPECT_EQ(read.counted.invalid, 0U);
  EXPECT_EQ(read.facts,
            (Facts{"@1699999990 metric.name=hits metric.type=counter value=42.5 route=index",
                   "@1699999991 metric.name=time metric.type=distribution metric.unit=millisecond value=36 route=index env=prod",
                   "@1699999991 metric.name=time metric.type=distribution metric.unit=millisecond value=49 route=index env=prod",
                   "@1700000000 metric.name=users metric.type=set value=1 metric.member=7",
                   "@1700000000 metric.name=users metric.type=set value=1 metric.member=ada",
                   "@1700000000 metric.name=load metric.type=gauge value=25 gauge.min=17 gauge.max=42 gauge.sum=220 gauge.count=85",
                   "@1700000000 metric.name=load metric.type=gauge value=3 empty= flag="}));
}

TEST(Statsd, TagsMayHoldWhatWouldEndThem) {
  EXPECT_EQ(statsd(R"(a:1|c|#path:x\u{2c}y\u{7c}z\\n\tq,value:9)").facts,
            (Facts{"@1700000000 metric.name=a metric.type=counter value=1 path=x,y|z\\n\tq value=9"}))
      << "a text is another column than the number";
}

TEST(Statsd, ALineThatIsNoneLeavesTheOthers) {
  for (const std::string_view wrong :
       {"", "|", "a", "a:1", "a:|c", "a:1|", "a:1|x", ":1|c", "a:one|c", "a:1:two|d", "a:nan|d", "a:inf|c", "a:1e999|c",
        "a:1:2|g", "a::|s", "a:1|c|T", "a:1|c|Tnow", "a:1|c|T-5", "a:1|c|T99999999999999999999"}) {
    const auto read = statsd(std::string(wrong) + "\nb:1|c\n");
    EXPECT_EQ(read.counted.accepted, 1U) << wrong;
    EXPECT_EQ(read.counted.invalid, wrong.empty() ? 0U : 1U) << wrong;
    EXPECT_EQ(read.facts.size(), 1U) << wrong;
  }
}

TEST(Statsd, TimesOutOfReachAndBytesThatAreNoTextDoNoHarm) {
  EXPECT_EQ(statsd("a:1|c|T0").facts.front().substr(0, 11), "@1700000000") << "the distant past";
  EXPECT_EQ(statsd("a:1|c|T253402300799").facts.front().substr(0, 11), "@1700000000") << "the year 9999";
  EXPECT_EQ(statsd(std::string("a\0b:1|c|#k:\xff\xfe", 14)).counted.accepted, 1U);
  EXPECT_EQ(statsd(std::string(500'000, ':')).counted.accepted, 0U);
  EXPECT_EQ(statsd("a:" + std::string(200'000, '9') + "|c").counted.invalid, 1U);
}

TEST(Buckets, AreReadByTheirNamesOrTheirTypes) {
  const auto read = buckets(R"([
    {"name":"c:custom/hits@none","value":3,"timestamp":1699999990,"width":10,"tags":{"route":"index","n":5}},
    {"name":"time@millisecond","type":"d","value":[36,49]},
    {"name":"s:custom/users@none","type":"s","value":[7,"ada"]},
    {"name":"g:custom/load@none","type":"g","value":{"last":25,"min":17,"max":42,"sum":220,"count":85}}])");
  EXPECT_EQ(read.counted.accepted, 4U);
  EXPECT_EQ(read.facts,
            (Facts{"@1699999990 metric.name=custom/hits metric.type=counter value=3 route=index n=5",
                   "@1700000000 metric.name=time metric.type=distribution metric.unit=millisecond value=36",
                   "@1700000000 metric.name=time metric.type=distribution metric.unit=millisecond value=49",
                   "@1700000000 metric.name=custom/users metric.type=set value=1 metric.member=7",
                   "@1700000000 metric.name=custom/users metric.type=set value=1 metric.member=ada",
                   "@1700000000 metric.name=custom/load metric.type=gauge value=25 gauge.min=17 gauge.max=42 gauge.sum=220 gauge.count=85"}));
}

TEST(Buckets, WhatIsNoneLeavesTheOthers) {
  for (const std::string_view wrong :
       {"7", "{}", R"({"name":"a","type":"c"})", R"({"name":"a","value":1})", R"({"name":"c:","value":1})",
        R"({"name":"a","type":"c","value":[]})", R"({"name":"a","type":"c","value":{"last":1,"min":1,"max":1,"sum":1,"count":1}})",
        R"({"name":"a","type":"g","value":{"last":1}})", R"({"name":"a","type":"g","value":[1,2]})",
        R"({"name":"a","type":"s","value":[null]})", R"({"name":"a","type":"d","value":["x"]})"}) {
    const auto read = buckets("[" + std::string(wrong) + R"(,{"name":"b","type":"c","value":1}])");
    EXPECT_EQ(read.counted.accepted, 1U) << wrong;
    EXPECT_EQ(read.counted.invalid, 1U) << wrong;
    EXPECT_EQ(read.facts.size(), 1U) << wrong;
  }
  EXPECT_EQ(buckets(R"({"name":"b","type":"c","value":1})").counted.invalid, 1U) << "not an array";
}

}  // namespace
}  // namespace picket::digest
