#include "relay/protocol/envelope.h"
#include "relay/protocol/json_object.h"

namespace picket::relay {
namespace {

// A text copied with some of its spans replaced, from left to right.
class Splice {
 public:
  explicit Splice(std::string_view text) : text_(text) { out_.reserve(text.size() + 64); }

  // REQUIRES: `span` is a view into the text, right of all earlier ones.
  void replace(std::string_view span, std::string_view with) {
    const auto at = static_cast<std::size_t>(span.data() - text_.data());
    out_.append(text_.substr(copied_, at - copied_)).append(with);
    copied_ = at + span.size();
  }
  std::string finish() && { return std::move(out_.append(text_.substr(copied_))); }

 private:
  std::string_view text_;
  std::string out_;
  std::size_t copied_ = 0;
};

// The place for a first member, and the text that adds it there; nothing when the header is no
// object or has the key already.
struct Insertion {
  std::string_view place;
  std::string text;
};
std::optional<Insertion> insertion(std::string_view header,
                                   std::string_view key,
                                   std::string_view value) {
  bool empty = true;
  JsonObjectReader reader(header);
  while (const auto member = reader.next()) {
    if (member->named(key)) return std::nullopt;
    empty = false;
  }
  if (reader.failure()) return std::nullopt;
  std::string text = render_json_string(key) + ':' + render_json_string(value);
  if (!empty) text += ',';
  return Insertion{header.substr(header.find('{') + 1, 0), std::move(text)};
}

void replace_public_key(Splice& splice, std::string_view trace, std::string_view public_key) {
  JsonObjectReader reader(trace);
  while (const auto member = reader.next()) {
    if (member->named("public_key") && member->is_string()) {
      splice.replace(member->value, render_json_string(public_key));
    }
  }
}

}  // namespace

Result<std::string> render_changed_header(std::string_view header, const HeaderChange& change) {
  Splice splice(header);
  if (change.event_id) {
    if (const auto added = insertion(header, "event_id", *change.event_id)) {
      splice.replace(added->place, added->text);
    }
  }
  JsonObjectReader reader(header);
  while (const auto member = reader.next()) {
    if (change.event_id && member->named("event_id")) {
      splice.replace(member->value, render_json_string(*change.event_id));
    } else if (change.dsn && member->named("dsn") && member->is_string()) {
      splice.replace(member->value, render_json_string(*change.dsn));
    } else if (change.sent_at_ms && member->named("sent_at") && !member->is_null()) {
      splice.replace(member->value, render_json_string(render_timestamp(*change.sent_at_ms)));
    } else if (change.trace_public_key && member->named("trace") && member->is_object()) {
      replace_public_key(splice, member->value, *change.trace_public_key);
    }
  }
  if (const auto& failure = reader.failure()) {
    return Error{Fault::malformed,
                 "envelope header at byte " + std::to_string(failure->at) + ": " + failure->reason};
  }
  return std::move(splice).finish();
}

std::string render_item_header(const Item& item, std::size_t length) {
  const auto digits = std::to_string(length);
  const auto parts = split_trace_attachment(item);
  const auto meta_length = parts && length >= parts->body.size() ? std::to_string(length - parts->body.size()) : std::string();
  Splice splice(item.header);
  bool empty = true;
  bool replaced = false;
  JsonObjectReader reader(item.header);
  while (const auto member = reader.next()) {
    empty = false;
    if (!meta_length.empty() && member->named("meta_length")) splice.replace(member->value, meta_length);
    if (!member->named("length")) continue;
    splice.replace(member->value, digits);
    replaced = true;
  }
  auto header = std::move(splice).finish();
  if (!replaced && !reader.failure()) header.insert(header.find('{') + 1, "\"length\":" + digits + (empty ? "" : ","));
  return header;
}

}  // namespace picket::relay
