// Envelopes: every view lies inside the input, lengths are what they say, and a changed header line
// parses to what was asked for.

#include "fuzz/invariant.h"
#include "relay/protocol/envelope.h"

namespace picket::relay {

using fuzz::check;
using fuzz::lies_inside;

namespace {

// Its header for a payload whose metadata have grown by a byte says so.
void check_trace_attachment(const Item& item) {
  const auto parts = split_trace_attachment(item);
  if (!parts) return;
  check(lies_inside(parts->meta, item.payload) && lies_inside(parts->body, item.payload), "both parts lie inside the payload");
  check(parts->meta.size() + parts->body.size() == item.payload.size(), "the parts are the payload");
  const auto payload = " " + std::string(item.payload);
  const auto changed = with_payload(item, payload);
  check(changed.meta_length == parts->meta.size() + 1, "the body keeps its length");
  const auto bytes = "{}\n" + render_item_header(item, payload.size()) + "\n" + payload;
  const auto reread = parse_envelope(bytes);
  check(reread && reread->items.size() == 1, "a changed item parses");
  check(split_trace_attachment(reread->items[0])->body == parts->body, "and has the same body");
}

void check_item(const Item& item, std::string_view bytes) {
  check(lies_inside(item.header, bytes), "an item's header lies inside the input");
  check(lies_inside(item.payload, bytes), "an item's payload lies inside the input");
  check(lies_inside(item.content_type, item.header),
        "a content type lies inside the item's header");
  check(lies_inside(item.attachment_type, item.header),
        "an attachment type lies inside the item's header");
  check(item.item_count >= 1, "an item counts at least once");
  if (item.length) {
    check(item.payload.size() == *item.length, "a payload is as long as its length says");
  } else {
    check(item.payload.find('\n') == std::string_view::npos,
          "a payload without length is one line");
  }
  category_of(item);
  requires_event_id(item);
  belongs_to_span(item);
  check_trace_attachment(item);
}

void check_header(std::string_view header, const EnvelopeHeader& fields) {
  const auto same = render_changed_header(header, {});
  check(same && *same == header, "nothing asked for changes nothing");

  HeaderChange change;
  change.dsn = "https://0123456789abcdef0123456789abcdef@new.example/7";
  change.sent_at_ms = 1'600'000'000'123;
  change.trace_public_key = "0123456789abcdef0123456789abcdef";
  change.event_id = "fedcba9876543210fedcba9876543210";
  const auto changed = render_changed_header(header, change);
  check(static_cast<bool>(changed), "a header that parses can be changed");
  const auto reread = parse_envelope_header(*changed);
  check(static_cast<bool>(reread), "a changed header parses");
  check(reread->event_id && render_event_id(*reread->event_id) == *change.event_id,
        "the event id is set");
  check(reread->dsn.empty() == fields.dsn.empty() || fields.dsn.empty(), "a DSN stays one");
  check(fields.dsn.empty() || reread->dsn == *change.dsn, "a DSN is replaced");
  check(!fields.sent_at_ms || reread->sent_at_ms == change.sent_at_ms, "sent_at is replaced");
}

void check_timestamp(std::string_view text) {
  const auto ms = parse_timestamp(text);
  if (!ms) return;
  const auto rendered = render_timestamp(*ms);
  check(rendered.size() == 24, "a timestamp is rendered in 24 characters");
  check(parse_timestamp(rendered).has_value(), "a rendered timestamp parses");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::as_text(bytes, size);
  check_timestamp(text);

  EnvelopeLimits limits;
  limits.max_items = 100;
  limits.max_item_header_bytes = 1000;
  const auto envelope = parse_envelope(text, limits);
  if (!envelope) {
    check(!envelope.error().detail.empty(), "an error has words");
    return 0;
  }
  check(envelope->header == split_header(text).header, "the header is the first line");
  check(envelope->items.size() <= limits.max_items, "items are limited");
  check_header(envelope->header, envelope->fields);
  const char* end = envelope->header.data() + envelope->header.size();
  for (const auto& item : envelope->items) {
    check(item.header.size() <= limits.max_item_header_bytes, "item headers are limited");
    check(item.header.data() > end, "items follow each other");
    check_item(item, text);
    end = item.payload.data() + item.payload.size();
  }
  return 0;
}

}  // namespace picket::relay
