#include "upstream/parcel.h"

#include "buffer/keys.h"
#include "relay/protocol/content_brotli.h"
#include "relay/protocol/content_stream.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/md5.h"
#include "upstream/item_time.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace picket::upstream {
namespace {

using relay::DataCategory;

// Far above what intake takes; guards against a damaged length only.
constexpr std::size_t max_envelope_bytes = std::size_t{1} << 30;

bool is_event(DataCategory category) {
  return category == DataCategory::error || category == DataCategory::transaction ||
         category == DataCategory::security || category == DataCategory::feedback;
}

bool is_uncounted(DataCategory category) {
  return category == DataCategory::client_report || category == DataCategory::user_report ||
         category == DataCategory::unknown;
}

SendClass class_of_counts(const std::vector<ItemCount>& counts) {
  auto categories = decisive_of(counts);
  if (categories.empty()) {
    for (const ItemCount& count : counts) categories.push_back(count.category);
  }
  return class_of(categories);
}

// What intake counted, unless it was an older Picket's that did not.
std::vector<ItemCount> noted_counts(const schema::IntakeMeta& meta) {
  std::vector<ItemCount> counts;
  for (int i = 0; i + 1 < meta.item_counts_size(); i += 2) {
    const auto category = std::min<std::uint64_t>(meta.item_counts(i), 255);
    add_count(counts, static_cast<DataCategory>(category), meta.item_counts(i + 1));
  }
  return counts;
}

Result<buffer::Bytes> decode_stored(const Parcel& parcel) {
  if (parcel.coding == relay::Coding::identity && parcel.stored_owner) {
    return buffer::Bytes(parcel.stored_owner, parcel.stored);
  }
  return relay::decode_bytes(parcel.stored, parcel.coding, max_envelope_bytes, parcel.room);
}

Result<std::vector<ItemCount>> count_items(Parcel& parcel) {
  const auto decoded = decode(parcel);
  if (!decoded) return decoded.error();
  const auto envelope = relay::parse_envelope(*decoded, {.max_items = SIZE_MAX});
  if (!envelope) return envelope.error();
  std::vector<ItemCount> counts;
  for (const relay::Item& item : envelope->items) add_count(counts, relay::category_of(item), item.item_count);
  return counts;
}

// Whoever gets an event once more knows it by its id; nothing else in an envelope has one of its own.
bool told_apart_by_event_id(const Parcel& parcel) {
  return !parcel.meta.event_id().empty() && std::ranges::all_of(parcel.label.counts, [](const ItemCount& count) {
    return is_event(count.category) || count.category == DataCategory::attachment;
  });
}

// The bytes behind the header line that go: all of `rest`, or the items that are kept.
Result<std::vector<std::string_view>> pieces_that_go(const Parcel& parcel, std::string_view decoded, std::string_view rest) {
  if (parcel.kept.empty()) return std::vector{rest};
  const auto envelope = relay::parse_envelope(decoded, {.max_items = SIZE_MAX});
  if (!envelope) return envelope.error();
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < envelope->items.size() && i < parcel.kept.size(); ++i) {
    if (!parcel.kept[i]) continue;
    const relay::Item& item = envelope->items[i];
    pieces.insert(pieces.end(), {item.header, "\n", item.payload, "\n"});
  }
  return pieces;
}

bool leaves_as_stored(const Parcel& parcel, Time now, const Packing& packing) {
  const bool understood = (parcel.coding == relay::Coding::gzip && packing.coding != relay::Coding::identity) ||
                          (parcel.coding == relay::Coding::zstd && packing.coding == relay::Coding::zstd);
  // A level of its own says that bytes matter more than work, and so does a coding that no SDK uses.
  const bool costly = packing.level > 1 || packing.coding == relay::Coding::br;
  if (!packing.as_stored || !understood || costly || !parcel.kept.empty()) return false;
  const auto stay = now - parcel.label.received;
  return parcel.meta.header_fits_key() && parcel.label.target.key == relay::render_hex(parcel.key) &&
         (parcel.meta.sent_at_ms() == 0 || stay < unchanged_stay);
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
  if (!parcel.via.empty()) headers.push_back("X-Picket-Via: " + clean(parcel.via, {}, 600));
  if (!parcel.record_id.empty()) headers.push_back("X-Picket-Record: " + parcel.record_id);
  headers.push_back("Expect:");  // no pause of a second before a large body
  headers.push_back("Accept:");  // thirteen bytes that nobody reads
  return headers;
}

}  // namespace

void add_count(std::vector<ItemCount>& counts, DataCategory category, std::uint64_t quantity) {
  for (ItemCount& count : counts) {
    if (count.category != category) continue;
    count.quantity += quantity;
    return;
  }
  counts.push_back({category, quantity});
}

std::vector<DataCategory> decisive_of(const std::vector<ItemCount>& counts) {
  std::vector<DataCategory> main;
  bool attachments = false;
  for (const auto& [category, quantity] : counts) {
    if (is_event(category)) return {category};
    if (category == DataCategory::attachment) attachments = true;
    if (category != DataCategory::attachment && !is_uncounted(category)) main.push_back(category);
  }
  if (main.empty() && attachments) main.push_back(DataCategory::attachment);
  return main;
}

Result<std::string_view> decode(Parcel& parcel) {
  if (!parcel.decoded) {
    auto decoded = decode_stored(parcel);
    if (!decoded) return decoded.error();
    parcel.decoded = *std::move(decoded);
  }
  return parcel.decoded->view();
}

Result<void> read_happened(Parcel& parcel) {
  const auto decoded = decode(parcel);
  if (!decoded && decoded.error().fault == Fault::unavailable) return decoded.error();
  if (!decoded) return {};
  const auto envelope = relay::parse_envelope(*decoded, {.max_items = SIZE_MAX});
  if (!envelope) return {};
  const auto newest = find_newest_time(*envelope, parcel.kept);
  if (!newest) return {};
  std::optional<Time> sent_at;
  if (const auto ms = parcel.meta.sent_at_ms(); ms != 0) sent_at = time_from_ms(ms);
  parcel.label.happened = time_by_our_clock(*newest, sent_at, parcel.label.received);
  return {};
}

Label unreadable_label(buffer::Sequence sequence, relay::ProjectId project, Time received) {
  Label label;
  label.sequence = sequence;
  label.project = project;
  label.received = received;
  label.counts = {{DataCategory::unknown, 1}};
  return label;
}

Result<Parcel> open_record(const buffer::StoredRecord& record,
                           const Routes& routes,
                           const buffer::ByteRoom& room) {
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
  parcel.key = record.key;
  parcel.stored = record.body;
  parcel.stored_owner = record.owner;
  parcel.coding = static_cast<relay::Coding>(record.coding);
  parcel.room = room;
  parcel.label.counts = noted_counts(parcel.meta);
  if (parcel.label.counts.empty()) {
    auto counted = count_items(parcel);
    if (!counted) return counted.error();
    parcel.label.counts = *std::move(counted);
  }
  parcel.label.decisive = decisive_of(parcel.label.counts);
  parcel.label.send_class = class_of_counts(parcel.label.counts);
  return parcel;
}

Result<SendClass> class_of_record(const buffer::StoredRecord& record, const buffer::ByteRoom& room) {
  schema::IntakeMeta meta;
  if (!meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()))) return SendClass::other;
  if (const auto counts = noted_counts(meta); !counts.empty()) return class_of_counts(counts);
  Parcel parcel;
  parcel.stored = record.body;
  parcel.stored_owner = record.owner;
  parcel.coding = static_cast<relay::Coding>(record.coding);
  parcel.room = room;
  const auto counts = count_items(parcel);
  if (counts) return class_of_counts(*counts);
  if (counts.error().fault == Fault::unavailable) return counts.error();
  return SendClass::other;
}

std::size_t Request::head_bytes() const {
  std::size_t bytes = url.size();
  for (const std::string& header : headers) bytes += header.size() + 2;
  return bytes;
}

bool note_way(Parcel& parcel, std::string_view instance) {
  parcel.via = parcel.meta.via();
  if (instance.empty()) return true;
  if (parcel.via.find(instance) != std::string::npos) return false;
  if (!parcel.via.empty()) parcel.via += ' ';
  parcel.via += instance;
  return true;
}

void give_record_id(Parcel& parcel, std::string_view instance) {
  if (told_apart_by_event_id(parcel)) return;
  buffer::Key parts;
  if (const auto& first = parcel.meta.record_id(); !first.empty()) {
    if (parcel.kept.empty()) return void(parcel.record_id = relay::render_hex(first));
    parts.raw(first);
  } else {
    // A number alone may have been given out before: in a data folder that was restored since.
    parts.text(instance).u64(parcel.label.sequence).u64(static_cast<std::uint64_t>(to_ms(parcel.label.received)));
    parts.raw(parcel.key).raw(parcel.meta.SerializeAsString());
  }
  for (const bool goes : parcel.kept) parts.u8(goes ? 1 : 0);  // the rest may go later
  parcel.record_id = relay::render_hash(relay::md5_of(parts.view()));
}

Result<Request> render_request(const Parcel& parcel, Time now, const Packing& packing) {
  if (leaves_as_stored(parcel, now, packing)) {
    Request request{render_url(parcel.label.target), render_headers(parcel, parcel.coding), {}, parcel.coding};
    if (parcel.stored_owner) {
      request.rest = buffer::Bytes(parcel.stored_owner, parcel.stored);
    } else {
      request.body = parcel.stored;
    }
    return request;
  }
  std::optional<buffer::Bytes> opened;
  if (!parcel.decoded) {
    auto decoded = decode_stored(parcel);
    if (!decoded) return decoded.error();
    opened = *std::move(decoded);
  }
  const buffer::Bytes& decoded = opened ? *opened : *parcel.decoded;
  const auto split = relay::split_header(decoded);
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

  auto pieces = pieces_that_go(parcel, decoded, split.rest);
  if (!pieces) return pieces.error();
  if (decoded.in_file()) {
    // Who reads brotli reads gzip, which needs less memory for so much.
    const auto coding = packing.coding == relay::Coding::br ? relay::Coding::gzip : packing.coding;
    Request request{render_url(target), render_headers(parcel, coding), *header + '\n', coding};
    if (coding == relay::Coding::identity && parcel.kept.empty()) {
      request.rest = decoded.slice(split.rest);
      return request;
    }
    pieces->insert(pieces->begin(), request.body);
    auto packed = relay::encode_bytes(*pieces, coding, packing.level, parcel.room);
    if (!packed) return packed.error();
    request.body.clear();
    request.rest = *std::move(packed);
    return request;
  }
  std::string body = *std::move(header);
  body.reserve(body.size() + 1 + split.rest.size());
  body += '\n';
  for (const auto piece : *pieces) body += piece;
  if (packing.coding == relay::Coding::br) body = relay::encode_brotli(body, packing.level);
  if (packing.coding == relay::Coding::zstd) body = relay::encode_zstd(body, packing.level);
  if (packing.coding == relay::Coding::gzip) body = relay::encode_gzip(body, std::min(packing.level, 9));
  return Request{render_url(target), render_headers(parcel, packing.coding), std::move(body), packing.coding};
}

}  // namespace picket::upstream
