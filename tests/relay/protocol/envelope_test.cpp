#include "relay/protocol/envelope.h"

#include <gtest/gtest.h>

namespace picket::relay {
namespace {

std::string detail_of(std::string_view bytes, const EnvelopeLimits& limits = {}) {
  const auto envelope = parse_envelope(bytes, limits);
  return envelope ? "parsed" : envelope.error().detail;
}

void expect_malformed(std::string_view bytes) {
  const auto envelope = parse_envelope(bytes);
  ASSERT_FALSE(envelope) << bytes;
  EXPECT_EQ(envelope.error().fault, Fault::malformed) << bytes;
}

TEST(Envelope, ReadsHeaderAndItems) {
  const std::string bytes =
      "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}\n"
      "{\"type\":\"attachment\",\"length\":10,\"content_type\":\"text/"
      "plain\",\"filename\":\"a.txt\"}\n"
      "\xef\xbb\xbfHello\r\n\n"
      "{\"type\":\"event\",\"length\":14}\n"
      "{\"message\":\"m\"\n";
  const auto envelope = parse_envelope(bytes);

  ASSERT_TRUE(envelope) << envelope.error().detail;
  ASSERT_TRUE(envelope->fields.event_id);
  EXPECT_EQ(render_event_id(*envelope->fields.event_id), "9ec79c33ec9942ab8353589fcb2e04dc");
  ASSERT_EQ(envelope->items.size(), 2U);
  EXPECT_EQ(envelope->items[0].type, "attachment");
  EXPECT_EQ(envelope->items[0].length, 10U);
  EXPECT_EQ(envelope->items[0].content_type, "text/plain");
  EXPECT_EQ(envelope->items[0].payload, "\xef\xbb\xbfHello\r\n");
  EXPECT_EQ(envelope->items[1].payload, "{\"message\":\"m\"");
}

constexpr std::string_view trace_attachment = R"("type":"attachment","content_type":"application/vnd.sentry.trace-attachment")";

Item trace_attachment_of(std::string_view bytes) {
  const auto envelope = parse_envelope(bytes);
  EXPECT_TRUE(envelope) << envelope.error().detail;
  return envelope->items.at(0);
}

TEST(TraceAttachment, IsMetadataAndABody) {
  const auto bytes = "{}\n{" + std::string(trace_attachment) + R"(,"length":12,"meta_length":7,"span_id":null})" + "\n{\"a\":1}hello\n";
  const auto item = trace_attachment_of(bytes);
  const auto parts = split_trace_attachment(item);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->meta, R"({"a":1})");
  EXPECT_EQ(parts->body, "hello");
  EXPECT_TRUE(belongs_to_span(item)) << "null: of one of the spans beside it";
}

TEST(TraceAttachment, IsOneOnlyWhereItsHeaderSaysWhereItsBodyBegins) {
  for (const std::string_view more : {"", R"(,"meta_length":13)", R"(,"meta_length":null)", R"(,"meta_length":"7")", R"(,"meta_length":-1)",
                                      R"(,"meta_length":99999999999999999999)"}) {
    const auto bytes = "{}\n{" + std::string(trace_attachment) + R"(,"length":12)" + std::string(more) + "}\n{\"a\":1}hello\n";
    EXPECT_FALSE(split_trace_attachment(trace_attachment_of(bytes))) << more;
  }
  const auto empty = "{}\n{" + std::string(trace_attachment) + ",\"length\":7,\"meta_length\":7}\n{\"a\":1}\n";
  const auto parts = split_trace_attachment(trace_attachment_of(empty));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->body, "");
  EXPECT_FALSE(belongs_to_span(trace_attachment_of(empty)));
  const std::string other = "{}\n{\"type\":\"attachment\",\"length\":12,\"meta_length\":7}\n{\"a\":1}hello\n";
  EXPECT_FALSE(split_trace_attachment(trace_attachment_of(other))) << "an event's";
}

TEST(TraceAttachment, KeepsItsBodyWhenItsMetadataChange) {
  for (const std::string_view length : {R"("length":12,)", ""}) {
    const auto bytes = "{}\n{" + std::string(length) + R"("odd":[1], "meta_length" : 7,)" + std::string(trace_attachment) + "}\n{\"a\":1}hello\n";
    const auto item = trace_attachment_of(bytes);
    const std::string payload = R"({"a":100}hello)";
    const auto header = render_item_header(item, payload.size());
    EXPECT_EQ(header, R"({"length":14,"odd":[1], "meta_length" : 9,)" + std::string(trace_attachment) + "}");
    const auto changed = with_payload(item, payload);
    EXPECT_EQ(split_trace_attachment(changed)->meta, R"({"a":100})");
    EXPECT_EQ(split_trace_attachment(changed)->body, "hello");
  }
}

TEST(Envelope, MayHaveNoItems) {
  for (const std::string bytes : {"{}", "{}\n", "{}\n\n", "{}\n\n\n \r\n"}) {
    const auto envelope = parse_envelope(bytes);
    ASSERT_TRUE(envelope) << envelope.error().detail;
    EXPECT_TRUE(envelope->items.empty());
  }
}

TEST(Envelope, NeedsAHeaderThatIsAnObject) {
  for (const std::string bytes :
       {"", "\n", "\n{}\n", "[]\n", "x", "\"a\"\n", "{", "{\n}\n", "{}{}\n", "null\n"}) {
    expect_malformed(bytes);
  }
}

TEST(Envelope, MayEndWithoutANewline) {
  const auto envelope = parse_envelope("{}\n{\"type\":\"event\",\"length\":2}\n{}");
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->items.at(0).payload, "{}");
}

TEST(Envelope, PassesOverBlankLinesBetweenItemsAndAtTheEnd) {
  const auto envelope =
      parse_envelope("{}\n\n{\"type\":\"a\",\"length\":1}\nx\n\r\n\n{\"type\":\"b\"}\ny\n\n\n");
  ASSERT_TRUE(envelope) << envelope.error().detail;
  ASSERT_EQ(envelope->items.size(), 2U);
  EXPECT_EQ(envelope->items[0].payload, "x");
  EXPECT_EQ(envelope->items[1].payload, "y");
}

TEST(Envelope, EndsAPayloadWithoutLengthAtTheNewline) {
  const auto envelope =
      parse_envelope("{}\n{\"type\":\"event\"}\n{\"a\":1}\n{\"type\":\"b\"}\n\n{\"type\":\"c\"}");
  ASSERT_TRUE(envelope);
  ASSERT_EQ(envelope->items.size(), 3U);
  EXPECT_EQ(envelope->items[0].payload, "{\"a\":1}");
  EXPECT_FALSE(envelope->items[0].length);
  EXPECT_EQ(envelope->items[1].payload, "");
  EXPECT_EQ(envelope->items[2].payload, "");
}

TEST(Envelope, TakesANullLengthForNone) {
  const auto envelope = parse_envelope("{}\n{\"type\":\"event\",\"length\":null}\nabc");
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->items.at(0).payload, "abc");
}

TEST(Envelope, KeepsEmptyPayloads) {
  for (const std::string tail : {"", "\n", "\n\n"}) {
    const auto envelope = parse_envelope("{}\n{\"type\":\"attachment\",\"length\":0}" + tail);
    ASSERT_TRUE(envelope) << envelope.error().detail;
    ASSERT_EQ(envelope->items.size(), 1U);
    EXPECT_EQ(envelope->items[0].payload, "");
    EXPECT_EQ(envelope->items[0].length, 0U);
  }
}

TEST(Envelope, TakesTheLastNewlineForPayloadWhenTheLengthSaysSo) {
  const auto envelope = parse_envelope("{}\n{\"type\":\"a\",\"length\":3}\nab\n");
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->items.at(0).payload, "ab\n");
}

TEST(Envelope, CarriesBinaryPayloads) {
  std::string payload;
  for (int i = 0; i < 256; ++i)
    payload += static_cast<char>(i);
  const auto bytes =
      "{}\n{\"type\":\"attachment\",\"length\":256}\n" + payload + "\n{\"type\":\"event\"}\n{}";
  const auto envelope = parse_envelope(bytes);
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->items.at(0).payload, payload);
  EXPECT_EQ(envelope->items.at(1).payload, "{}");
}

TEST(Envelope, RefusesAPayloadThatIsTooShort) {
  EXPECT_EQ(detail_of("{}\n{\"type\":\"event\",\"length\":42}\nHi"),
            "item at byte 3: unexpected end of file: length is 42 but only 2 bytes are left");
  expect_malformed("{}\n{\"type\":\"event\",\"length\":1}");
  expect_malformed("{}\n{\"type\":\"event\",\"length\":18446744073709551615}\nHi");
}

TEST(Envelope, RefusesAPayloadThatIsTooLong) {
  EXPECT_EQ(detail_of("{}\n{\"type\":\"event\",\"length\":2}\nHi!\n"),
            "item at byte 3: missing newline after payload");
  expect_malformed("{}\n{\"type\":\"event\",\"length\":2}\nHi\r\n");
}

TEST(Envelope, RefusesALengthThatIsNoWholeNumber) {
  for (const std::string length :
       {"-1", "1.5", "2.0", "1e1", "\"2\"", "true", "[2]", "{}", "18446744073709551616", "-0"}) {
    const auto bytes = "{}\n{\"type\":\"event\",\"length\":" + length + "}\nHi\n";
    EXPECT_EQ(detail_of(bytes), "item header at byte 3: length is not a whole number of bytes")
        << length;
  }
}

TEST(Envelope, RefusesAnItemHeaderThatIsNoObject) {
  EXPECT_EQ(detail_of("{}\n{\"type\":\"event\"}\n{}\n[1]\nx\n"),
            "item header at byte 23: expected a JSON object");
  for (const std::string header : {"x", "[]", "null", "{\"type\":\"event\"", "{'type':1}", "{} {}",
                                   "\xff", "{\"a\":\"\xff\"}"}) {
    expect_malformed("{}\n" + header + "\npayload\n");
  }
}

TEST(Envelope, SaysAtWhichByteAnItemHeaderBreaks) {
  EXPECT_EQ(detail_of("{}\n{\"type\" \"event\"}\n"), "item header at byte 11: expected ':'");
  EXPECT_EQ(detail_of("{}\n\n  {\"type\" \"event\"}\n"), "item header at byte 14: expected ':'");
}

TEST(Envelope, KeepsItemsWithoutAUsableType) {
  for (const std::string header :
       {"{}", "{\"type\":null}", "{\"type\":5}", "{\"type\":[\"event\"]}"}) {
    const auto bytes = "{}\n" + header + "\npayload\n";
    const auto envelope = parse_envelope(bytes);
    ASSERT_TRUE(envelope) << header;
    EXPECT_EQ(envelope->items.at(0).type, "");
    EXPECT_EQ(envelope->items.at(0).header, header);
    EXPECT_EQ(envelope->items.at(0).payload, "payload");
    EXPECT_EQ(category_of(envelope->items.at(0)), DataCategory::default_);
  }
}

TEST(Envelope, KeepsUnknownTypesAndKeysAsTheyCame) {
  const std::string header = R"({"zz": [1, {"q":"\u00e9"}] ,"type":"\u0061 new one","length": 3 })";
  const auto bytes = "{}\n" + header + "\nabc\n";
  const auto envelope = parse_envelope(bytes);
  ASSERT_TRUE(envelope) << envelope.error().detail;
  EXPECT_EQ(envelope->items.at(0).header, header);
  EXPECT_EQ(envelope->items.at(0).type, "a new one");
  EXPECT_EQ(envelope->items.at(0).payload, "abc");
}

TEST(Envelope, FindsItsKeysBehindEscapesAndNesting) {
  const auto envelope = parse_envelope(
      "{}\n{\"x\":{\"type\":\"no\",\"length\":99},\"s\":\"\\\"length\\\":99\",\"t\\u0079pe\":"
      "\"event\",\"\\u006cength\":2}\nhi\n");
  ASSERT_TRUE(envelope) << envelope.error().detail;
  EXPECT_EQ(envelope->items.at(0).type, "event");
  EXPECT_EQ(envelope->items.at(0).length, 2U);
}

TEST(Envelope, TakesTheLastOfARepeatedKey) {
  const auto envelope =
      parse_envelope("{}\n{\"type\":\"a\",\"length\":9,\"type\":\"b\",\"length\":1}\nx\n");
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->items.at(0).type, "b");
  EXPECT_EQ(envelope->items.at(0).payload, "x");
}

TEST(Envelope, ReadsAttachmentTypeAndContentType) {
  const auto envelope = parse_envelope(
      "{}\n{\"type\":\"attachment\",\"attachment_type\":\"event.minidump\",\"content_type\":\"a\\/"
      "b\"}\nx\n"
      "{\"type\":\"attachment\",\"attachment_type\":null,\"content_type\":5}\nx\n");
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->items.at(0).attachment_type, "event.minidump");
  EXPECT_EQ(envelope->items.at(0).content_type, "a\\/b");
  EXPECT_EQ(envelope->items.at(1).attachment_type, "");
  EXPECT_EQ(envelope->items.at(1).content_type, "");
}

TEST(Envelope, CountsTheItemsOfContainersOnly) {
  const auto count = [](const std::string& header, const std::string& payload = R"({"items":[{},{},{},{},{},{},{}]})") {
    const auto bytes = "{}\n" + header + "\n" + payload + "\n";
    const auto envelope = parse_envelope(bytes);
    return envelope ? envelope->items.at(0).item_count : 0;
  };
  const std::string container = R"("content_type":"application/vnd.sentry.items.log+json")";
  EXPECT_EQ(count(R"({"type":"log","item_count":7,)" + container + "}"), 7U);
  EXPECT_EQ(count("{\"type\":\"log\"," + container + ",\"item_count\":7}"), 7U);
  EXPECT_EQ(count("{\"type\":\"log\"," + container + "}"), 1U);
  EXPECT_EQ(count(R"({"type":"event","item_count":7})"), 1U);
  for (const std::string wrong : {"0", "-3", "1.5", "\"7\"", "4294967296", "null"}) {
    EXPECT_EQ(count(R"({"type":"log",)" + container + ",\"item_count\":" + wrong + "}"), 1U)
        << wrong;
  }
  // As many as there is room for, whatever the header says.
  EXPECT_EQ(count(R"({"type":"log","item_count":4294967295,)" + container + "}", "{\"items\":[]}"), 6U);
  EXPECT_EQ(count(R"({"type":"log","item_count":4294967295,)" + container + "}", ""), 1U);
}

TEST(Envelope, RefusesMoreItemsThanTheLimit) {
  EnvelopeLimits limits;
  limits.max_items = 2;
  const std::string item = "{\"type\":\"a\"}\nx\n";
  EXPECT_EQ(detail_of("{}\n" + item + item + "\n", limits), "parsed");
  const auto bytes = "{}\n" + item + item + item;
  const auto envelope = parse_envelope(bytes, limits);
  ASSERT_FALSE(envelope);
  EXPECT_EQ(envelope.error().fault, Fault::too_large);
}

TEST(Envelope, RefusesItemHeadersLongerThanTheLimit) {
  EnvelopeLimits limits;
  limits.max_item_header_bytes = 20;
  EXPECT_EQ(detail_of("{}\n{\"type\":\"123456789\"}\nx", limits), "parsed");
  const auto envelope = parse_envelope("{}\n{\"type\":\"1234567890\"}\nx", limits);
  ASSERT_FALSE(envelope);
  EXPECT_EQ(envelope.error().fault, Fault::too_large);
}

TEST(Envelope, PointsIntoTheBytesPassedIn) {
  const std::string bytes = "{\"a\":1}\n{\"type\":\"event\",\"content_type\":\"x\"}\npayload\n";
  const auto envelope = parse_envelope(bytes);
  ASSERT_TRUE(envelope);
  const auto inside = [&bytes](std::string_view view) {
    return view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size();
  };
  EXPECT_TRUE(inside(envelope->header));
  EXPECT_TRUE(inside(envelope->items.at(0).header));
  EXPECT_TRUE(inside(envelope->items.at(0).payload));
  EXPECT_TRUE(inside(envelope->items.at(0).content_type));
}

TEST(Envelope, NeverReadsPastATruncation) {
  const std::string bytes =
      "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\",\"sent_at\":\"2020-01-01T00:00:00Z\"}\n"
      "{\"type\":\"event\",\"length\":7}\n{\"a\":1}\n{\"type\":\"attachment\",\"length\":3}\nabc\n";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = std::make_unique<char[]>(size);  // exact, so that ASan sees one byte too many
    std::copy_n(bytes.data(), size, cut.get());
    const auto envelope = parse_envelope({cut.get(), size});
    if (!envelope) {
      EXPECT_EQ(envelope.error().fault, Fault::malformed);
    }
  }
}

TEST(SplitHeader, CutsAtTheFirstNewline) {
  EXPECT_EQ(split_header("{}\nrest\nmore").header, "{}");
  EXPECT_EQ(split_header("{}\nrest\nmore").rest, "rest\nmore");
  EXPECT_EQ(split_header("{}").header, "{}");
  EXPECT_EQ(split_header("{}").rest, "");
  EXPECT_EQ(split_header("").header, "");
}

}  // namespace
}  // namespace picket::relay
