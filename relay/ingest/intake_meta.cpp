#include "relay/ingest/intake_meta.h"

#include "relay/protocol/json_object.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace picket::ingest {
namespace {

// What this is for is decided by its reader; here only that it could be an address.
bool looks_like_address(std::string_view text) {
  constexpr std::size_t longest = 64;
  constexpr std::string_view letters = "0123456789abcdefABCDEF:.[]%";
  return !text.empty() && text.size() <= longest &&
         text.find_first_not_of(letters) == std::string_view::npos;
}

std::string_view first_of_list(std::string_view list) {
  auto first = list.substr(0, list.find(','));
  while (first.starts_with(' ') || first.starts_with('\t'))
    first.remove_prefix(1);
  while (first.ends_with(' ') || first.ends_with('\t'))
    first.remove_suffix(1);
  return first;
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string kept(text.substr(0, longest));
  std::replace_if(
      kept.begin(), kept.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return kept;
}

// False as well for a trace that is read differently by others: a key given twice, or not as text.
bool names_other_key(std::string_view trace, std::string_view key) {
  relay::JsonObjectReader reader(trace);
  while (const auto member = reader.next()) {
    if (!member->named("public_key")) continue;
    if (!member->is_string() || member->raw_text() != key) return true;
  }
  return reader.failure().has_value();
}

bool header_fits(const relay::Envelope& envelope,
                 const relay::ProjectKey& key,
                 const schema::IntakeMeta& meta) {
  if (!envelope.fields.event_id && !meta.event_id().empty()) return false;
  relay::JsonObjectReader reader(envelope.header);
  while (const auto member = reader.next()) {
    if (member->named("dsn") && !member->is_null()) return false;
    if (!member->named("trace")) continue;
    if (member->is_object() && names_other_key(member->value, key.hex)) return false;
  }
  return !reader.failure();
}

}  // namespace

std::string find_client_address(const http::RequestHead& head) {
  constexpr std::array<std::string_view, 4> names{"CF-Connecting-IP", "X-Vercel-Forwarded-For",
                                                  "X-Sentry-Forwarded-For", "X-Forwarded-For"};
  for (const auto name : names) {
    const auto address = first_of_list(head.headers.find(name));
    if (looks_like_address(address)) return std::string(address);
  }
  return head.peer;
}

schema::IntakeMeta make_intake_meta(const http::RequestHead& head, std::string_view client) {
  schema::IntakeMeta meta;
  meta.set_remote_address(find_client_address(head));
  meta.set_user_agent(printable(head.headers.find("User-Agent"), 1000));
  meta.set_client(printable(client, 200));
  meta.set_origin(printable(head.headers.find("Origin"), 200));
  meta.set_via(printable(head.headers.find("X-Picket-Via"), 500));
  if (const auto said = head.headers.find("X-Picket-Record"); !said.empty()) {
    if (const auto id = relay::parse_event_id(said)) meta.set_record_id(std::string(relay::raw_bytes(*id)));
  }
  return meta;
}

void describe_envelope(const relay::Envelope& envelope,
                       const std::vector<ItemCount>& items,
                       const relay::ProjectKey& key,
                       schema::IntakeMeta& meta) {
  for (const auto& item : items) {
    meta.add_item_counts(static_cast<std::uint64_t>(item.category));
    meta.add_item_counts(item.quantity);
  }
  meta.set_header_fits_key(header_fits(envelope, key, meta));
}

}  // namespace picket::ingest
