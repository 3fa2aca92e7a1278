#include "api/grouping/parametrise.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace picket::grouping {
namespace {

struct Parametrised {
  std::string_view text;
  std::string_view want;
};
class Parametrise : public ::testing::TestWithParam<Parametrised> {};

TEST_P(Parametrise, ReplacesWhatVaries) {
  EXPECT_EQ(parametrised(GetParam().text), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Numbers,
    Parametrise,
    ::testing::Values(Parametrised{"", ""},
                      Parametrised{"nothing varies here", "nothing varies here"},
                      Parametrised{"order 17 of 20000", "order <int> of <int>"},
                      Parametrised{"load -3.25", "load <float>"},
                      Parametrised{"port:-8080", "port:<int>"},
                      Parametrised{"worker12 died", "worker12 died"},
                      Parametrised{"v1_2 stays", "v1_2 stays"},
                      Parametrised{"took 1.5s, then 200ms and 2s", "took <duration>, then <duration> and <duration>"},
                      Parametrised{"5s5 is no duration", "5s5 is no duration"},
                      Parametrised{"at 0x7ffee4 and 0XAB", "at <hex> and <hex>"},
                      Parametrised{"0x alone", "0x alone"},
                      Parametrised{"key 1a2b3c4d", "key <hex>"},
                      Parametrised{"deadbeef and feedface are words", "deadbeef and feedface are words"},
                      Parametrised{"caf\xc3\xa9"
                                   "7 \xe2\x98\x83 8",
                                   "caf\xc3\xa9"
                                   "7 \xe2\x98\x83 <int>"}));

INSTANTIATE_TEST_SUITE_P(
    Identifiers,
    Parametrise,
    ::testing::Values(Parametrised{"id 7d444840-9dc0-11d1-b245-5ffdce74fad2.", "id <uuid>."},
                      Parametrised{"commit 9fda7c2237db910e41d6a712e9a2139b352e558b", "commit <sha1>"},
                      Parametrised{"sum 9e107d9d372bb6826bd81d3542a419d6", "sum <md5>"},
                      Parametrised{"trace 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                   "trace <traceparent>"},
                      Parametrised{"mail ada.l+x@example.co.uk!", "mail <email>!"},
                      Parametrised{"not @mention", "not @mention"},
                      Parametrised{"GET https://a.example/b?c=1 failed", "GET <url> failed"},
                      Parametrised{"http:// is none", "http:// is none"},
                      Parametrised{"resolve db.internal.example.com now", "resolve <hostname> now"},
                      Parametrised{"file.txt and a.b.c", "file.txt and a.b.c"},
                      Parametrised{"peer 10.0.0.12:8080", "peer <ip>:<int>"},
                      Parametrised{"no 300.1.1.1", "no <float>.<float>"},
                      Parametrised{"peer fe80::1 up", "peer <ip> up"},
                      Parametrised{"peer ::1 up", "peer <ip> up"},
                      Parametrised{"peer 2001:db8:0:0:1:0:0:1 gone", "peer <ip> gone"},
                      Parametrised{"std::vector", "std::vector"}));

INSTANTIATE_TEST_SUITE_P(
    Dates,
    Parametrise,
    ::testing::Values(Parametrised{"on 2024-01-31", "on <date>"},
                      Parametrised{"on 2024/01/31 x", "on <date> x"},
                      Parametrised{"on 2024-01-31T10:20:30.123Z x", "on <date> x"},
                      Parametrised{"on 2024-01-31 10:20:30+02:00 x", "on <date> x"},
                      Parametrised{"on 20240131T102030Z", "on <date>"},
                      Parametrised{"at 10:20:30,123 x", "at <date> x"},
                      Parametrised{"Tue, 02 Jan 2024 15:04:05 GMT", "<date>"},
                      Parametrised{"Tue Jan  2 15:04:05 2024: x", "<date>: x"},
                      Parametrised{"since March 3, 2024", "since <date>"},
                      Parametrised{"may 17 of them", "may <int> of them"},
                      Parametrised{"31/12/2023", "<date>"},
                      Parametrised{"when=datetime.datetime(2024, 1, 2, 3, 4)", "when=<date>"}));

INSTANTIATE_TEST_SUITE_P(
    Assignments,
    Parametrise,
    ::testing::Values(Parametrised{"name='Ada' age=36", "name=<quoted_str> age=<int>"},
                      Parametrised{"name=\"Ada L\" ok=True", "name=<quoted_str> ok=<bool>"},
                      Parametrised{"no column 'price' in \"order\"", "no column 'price' in \"order\""},
                      Parametrised{"a='' b=\"", "a='' b=\""},
                      Parametrised{"x='unclosed", "x='unclosed"}));

TEST(Parametrise, TakesLinearTime) {
  for (const auto* unit : {"a", "1", "='", "a.", "a@", "0x", "::", "http://", "' ", "1.1.", "aaaaaaaa-", "Jan 1 ",
                           "datetime.datetime(", "1-", "=\"'"}) {
    std::string text;
    while (text.size() < 8392)
      text += unit;
    EXPECT_LE(parametrised(text).size(), text.size() * 16) << unit;
  }
}

}  // namespace
}  // namespace picket::grouping
