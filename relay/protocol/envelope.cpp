#include "relay/protocol/envelope.h"

#include "relay/protocol/json_object.h"

#include <algorithm>
#include <limits>

namespace picket::relay {
namespace {

Error malformed(std::string_view what, std::size_t at, std::string_view why) {
  std::string detail(what);
  detail.append(" at byte ").append(std::to_string(at)).append(": ").append(why);
  return Error{Fault::malformed, std::move(detail)};
}

bool is_container(std::string_view content_type) {
  return content_type.starts_with("application/vnd.sentry.items.");
}

class EnvelopeReader {
 public:
  EnvelopeReader(std::string_view bytes, std::size_t at, const EnvelopeLimits& limits)
      : bytes_(bytes), at_(at), limits_(limits) {}

  // False when only blank lines are left.
  bool has_more() {
    const auto next = bytes_.find_first_not_of("\n\r\t ", at_);
    at_ = next == std::string_view::npos ? bytes_.size() : next;
    return at_ < bytes_.size();
  }

  Result<Item> read_item() {
    const auto start = at_;
    Item item;
    item.header = take_line();
    if (item.header.size() > limits_.max_item_header_bytes) {
      return Error{Fault::too_large, "item header at byte " + std::to_string(start) +
                                         ": longer than " +
                                         std::to_string(limits_.max_item_header_bytes) + " bytes"};
    }
    if (auto read = read_header(item, start); !read) return read.error();
    if (auto taken = take_payload(item, start); !taken) return taken.error();
    // No more are believed than two bytes each have room for: quotas and counters go by this.
    const auto most = std::clamp<std::size_t>(item.payload.size() / 2, 1, std::numeric_limits<std::uint32_t>::max());
    item.item_count = std::min(item.item_count, static_cast<std::uint32_t>(most));
    return item;
  }

 private:
  Result<void> read_header(Item& item, std::size_t start) const;

  Result<void> take_payload(Item& item, std::size_t start) {
    if (!item.length) {
      item.payload = take_line();
      return {};
    }
    const auto left = bytes_.size() - at_;
    if (*item.length > left) {
      return malformed("item", start,
                       "unexpected end of file: length is " + std::to_string(*item.length) +
                           " but only " + std::to_string(left) + " bytes are left");
    }
    item.payload = bytes_.substr(at_, *item.length);
    at_ += *item.length;
    if (at_ == bytes_.size()) return {};
    if (bytes_[at_] != '\n') return malformed("item", start, "missing newline after payload");
    ++at_;
    return {};
  }

  // Up to the next newline or the end; the newline is passed over.
  std::string_view take_line() {
    const auto end = bytes_.find('\n', at_);
    const auto line = bytes_.substr(at_, end == std::string_view::npos ? end : end - at_);
    at_ = end == std::string_view::npos ? bytes_.size() : end + 1;
    return line;
  }

  std::string_view bytes_;
  std::size_t at_;
  const EnvelopeLimits& limits_;
};

Result<void> EnvelopeReader::read_header(Item& item, std::size_t start) const {
  std::optional<std::uint64_t> item_count;
  JsonObjectReader reader(item.header);
  while (const auto member = reader.next()) {
    if (member->named("type")) {
      item.type = member->is_string() ? unescape_json(member->raw_text()) : std::string();
    } else if (member->named("length")) {
      item.length.reset();
      if (member->is_null()) continue;
      const auto length = parse_whole_number(member->value);
      if (!length) return malformed("item header", start, "length is not a whole number of bytes");
      item.length = *length;
    } else if (member->named("content_type")) {
      item.content_type = member->is_string() ? member->raw_text() : std::string_view();
    } else if (member->named("attachment_type")) {
      item.attachment_type = member->is_string() ? member->raw_text() : std::string_view();
    } else if (member->named("meta_length")) {
      item.meta_length = parse_whole_number(member->value);
    } else if (member->named("item_count")) {
      item_count = parse_whole_number(member->value);
    }
  }
  if (const auto& failure = reader.failure()) {
    return malformed("item header", start + failure->at, failure->reason);
  }
  // At least 1: averages divide by it.
  if (item_count && *item_count > 0 && *item_count <= std::numeric_limits<std::uint32_t>::max() &&
      is_container(item.content_type)) {
    item.item_count = static_cast<std::uint32_t>(*item_count);
  }
  return {};
}

}  // namespace

SplitEnvelope split_header(std::string_view bytes) {
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) return {bytes, bytes.substr(bytes.size())};
  return {bytes.substr(0, end), bytes.substr(end + 1)};
}

Result<EnvelopeHeader> parse_envelope_header(std::string_view header) {
  EnvelopeHeader fields;
  JsonObjectReader reader(header);
  while (const auto member = reader.next()) {
    if (member->named("event_id")) {
      fields.event_id.reset();
      if (member->is_null() || member->value == "\"\"") continue;
      if (!member->is_string()) return malformed("envelope header", 0, "event_id is not a string");
      const auto id = parse_event_id(unescape_json(member->raw_text()));
      if (!id) return malformed("envelope header", 0, id.error().detail);
      fields.event_id = *id;
    } else if (member->named("dsn")) {
      fields.dsn.clear();
      if (member->is_null()) continue;
      if (!member->is_string()) return malformed("envelope header", 0, "dsn is not a string");
      fields.dsn = unescape_json(member->raw_text());
    } else if (member->named("sent_at")) {
      fields.sent_at_ms = member->is_string() ? parse_timestamp(unescape_json(member->raw_text()))
                                              : parse_timestamp(member->value);
    }
  }
  if (const auto& failure = reader.failure()) {
    return malformed("envelope header", failure->at, failure->reason);
  }
  return fields;
}

Result<Envelope> parse_envelope(std::string_view bytes, const EnvelopeLimits& limits) {
  const auto split = split_header(bytes);
  auto fields = parse_envelope_header(split.header);
  if (!fields) return fields.error();

  Envelope envelope{split.header, *std::move(fields), {}};
  EnvelopeReader reader(bytes, bytes.size() - split.rest.size(), limits);
  while (reader.has_more()) {
    if (envelope.items.size() == limits.max_items) {
      return Error{Fault::too_large,
                   "envelope has more than " + std::to_string(limits.max_items) + " items"};
    }
    auto item = reader.read_item();
    if (!item) return item.error();
    envelope.items.push_back(*std::move(item));
  }
  return envelope;
}

}  // namespace picket::relay
