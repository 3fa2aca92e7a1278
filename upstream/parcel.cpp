#include "upstream/parcel.h"

#include "relay/protocol/envelope.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace picket::upstream {
namespace {

using relay::DataCategory;

// Far above what intake takes; guards against a damaged length only.
constexpr std::size_t max_envelope_bytes = std::size_t{1} << 30;

void add(std::vector<ItemCount>& counts, DataCategory category, std::uint64_t quantity) {
  for (ItemCount& count : counts) {
    if (count.category != category) continue;
    count.quantity += quantity;
    return;
  }
  counts.push_back({category, quantity});
}

bool is_event(const relay::Item& item) {
  return item.type == "event" || item.type == "transaction" || item.type == "security" || item.type == "feedback";
}

bool is_uncounted(DataCategory category) {
  return category == DataCategory::client_report || category == DataCategory::user_report ||
         category == DataCategory::unknown;
}

std::vector<DataCategory> decisive_of(const std::vector<relay::Item>& items) {
  std::vector<DataCategory> main;
  std::vector<DataCategory> attachments;
  for (const relay::Item& item : items) {
    const DataCategory category = relay::category_of(item);
    if (is_event(item)) return {category};
    if (is_uncounted(category)) continue;
    auto& into = category == DataCategory::attachment ? attachments : main;
    if (std::find(into.begin(), into.end(), category) == into.end()) into.push_back(category);
  }
  return main.empty() ? attachments : main;
}

// Values come from SDKs, also percent-decoded from a query string: no line break may reach a header.
std::string clean(std::string_view value, std::string_view also_without, std::size_t longest) {
  std::string kept;
  for (const char c : value.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && also_without.find(c) == std::string_view::npos) kept += c;
  }
  return kept;
}

std::string_view coding_name(relay::Coding coding) {
  switch (coding) {
    case relay::Coding::identity: return "";
    case relay::Coding::gzip: return "gzip";
    case relay::Coding::deflate: return "deflate";
    case relay::Coding::br: return "br";
    case relay::Coding::zstd: return "zstd";
  }
  std::abort();
}

std::vector<std::string> render_headers(const Parcel& parcel, relay::Coding coding) {
  const auto client = clean(parcel.meta.client(), ", \t", 256);
  std::vector<std::string> headers;
  headers.reserve(8);
  headers.push_back("X-Sentry-Auth: Sentry sentry_key=" + parcel.label.target.key +
                    ", sentry_version=7, sentry_client=" + (client.empty() ? "picket/" PICKET_VERSION : client));
  headers.push_back("Content-Type: application/x-sentry-envelope");
  if (coding != relay::Coding::identity) headers.push_back("Content-Encoding: " + std::string(coding_name(coding)));
  const auto agent = clean(parcel.meta.user_agent(), {}, 1024);
  headers.push_back("User-Agent: " + (agent.empty() ? "picket/" PICKET_VERSION : agent));
  if (const auto origin = clean(parcel.meta.origin(), {}, 1024); !origin.empty()) {
    headers.push_back("Origin: " + origin);
  }
  if (const auto address = clean(parcel.meta.remote_address(), {}, 256); !address.empty()) {
    headers.push_back("X-Forwarded-For: " + address);
  }
  headers.push_back("Expect:");  // no pause of a second before a large body
  return headers;
}

}  // namespace

Label unreadable_label(buffer::Sequence sequence, relay::ProjectId project, Time received) {
  Label label;
  label.sequence = sequence;
  label.project = project;
  label.received = received;
  label.counts = {{DataCategory::unknown, 1}};
  return label;
}

Result<Parcel> open_record(const buffer::StoredRecord& record, const Routes& routes) {
  Parcel parcel;
  parcel.label.sequence = record.sequence;
  parcel.label.project = record.project;
  parcel.label.received = record.received;
  parcel.label.stored_bytes = record.body.size();
  if (!parcel.meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()))) {
    return Error{Fault::malformed, "the record's meta data does not parse"};
  }
  auto target = routes.find_target(record.project, record.key);
  if (!target) return target.error();
  parcel.label.target = *std::move(target);
  auto decoded = relay::decode(record.body, static_cast<relay::Coding>(record.coding), max_envelope_bytes);
  if (!decoded) return decoded.error();
  parcel.envelope = *std::move(decoded);
  const auto envelope = relay::parse_envelope(parcel.envelope, {.max_items = SIZE_MAX});
  if (!envelope) return envelope.error();
  for (const relay::Item& item : envelope->items) {
    add(parcel.label.counts, relay::category_of(item), item.item_count);
  }
  parcel.label.decisive = decisive_of(envelope->items);
  return parcel;
}

Result<Request> render_request(const Parcel& parcel, Time now, relay::Coding coding, int level) {
  const auto split = relay::split_header(parcel.envelope);
  const auto fields = relay::parse_envelope_header(split.header);
  if (!fields) return fields.error();
  const Target& target = parcel.label.target;

  relay::HeaderChange change;
  change.dsn = target.dsn;
  change.trace_public_key = target.key;
  if (fields->sent_at_ms) {
    // A clock that was set back meanwhile must not make the envelope leave before it was sent.
    const auto stay = std::max<std::int64_t>(0, (now - parcel.label.received).count());
    change.sent_at_ms = *fields->sent_at_ms + stay;
  }
  if (!fields->event_id) {
    if (const auto id = relay::event_id_from_raw(parcel.meta.event_id())) {
      change.event_id = relay::render_event_id(*id);
    }
  }
  auto header = relay::render_changed_header(split.header, change);
  if (!header) return header.error();

  std::string body = *std::move(header);
  body.reserve(body.size() + 1 + split.rest.size());
  body += '\n';
  body += split.rest;
  if (coding == relay::Coding::zstd) body = relay::encode_zstd(body, level);
  if (coding == relay::Coding::gzip) body = relay::encode_gzip(body, std::min(level, 9));
  return Request{render_url(target), render_headers(parcel, coding), std::move(body)};
}

}  // namespace picket::upstream
