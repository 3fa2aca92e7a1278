// A parcel is one envelope on its way to one destination: a journal record opened, counted, addressed
// and rendered as a request.
//
// INVARIANT  Items leave byte for byte as they came; of the envelope header only dsn,
//            trace.public_key, sent_at and a missing event_id change. Items that are not to go are
//            left out whole. What needs none of that is not even decompressed.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/dsn.h"
#include "upstream/routes.h"
#include "upstream/send_class.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::upstream {

struct ItemCount {
  relay::DataCategory category = relay::DataCategory::unknown;
  std::uint64_t quantity = 0;
  friend bool operator==(const ItemCount&, const ItemCount&) = default;
};

// Items that are not to go, and why.
struct LeftOut {
  std::uint8_t fate = 0;  // Fate::not_routed …
  relay::DataCategory category = relay::DataCategory::unknown;
  std::uint64_t quantity = 0;
  friend bool operator==(const LeftOut&, const LeftOut&) = default;
};

// What stays of a parcel while its bytes are not in memory.
struct Label {
  buffer::Sequence sequence = 0;
  relay::ProjectId project = 0;  // the local one
  Time received{};
  std::optional<Time> happened;  // what it tells of, by our clock, where somebody asked (read_happened()) and it says so
  std::uint64_t stored_bytes = 0;
  Target target;
  std::vector<ItemCount> counts;  // of what goes, one per category
  std::vector<LeftOut> left_out;  // of what does not, one per fate and category
  std::uint64_t note = 0;         // by which a delivery is known after a kill (DeliveryNotes::check_of())
  std::string key;                // the record's, 16 raw bytes; only where something is left out or has expired

  bool nothing_goes() const { return counts.empty() && !left_out.empty(); }
  // An upstream limit on any of these makes the parcel wait: of an event only the event's own, of
  // anything else all but the attachments'.
  std::vector<relay::DataCategory> decisive;
  SendClass send_class = SendClass::other;
};

struct Parcel {
  Label label;
  schema::IntakeMeta meta;
  std::string_view key;     // the record's, 16 raw bytes
  std::string_view stored;  // the record's body
  std::shared_ptr<const void> stored_owner;        // when that lies in a file
  relay::Coding coding = relay::Coding::identity;  // of `stored`
  buffer::ByteRoom room;  // for what does not fit into memory
  std::string via;        // what it has come through once it is there, separated by spaces
  std::string record_id;  // 32 hex digits; empty: what is in it is told apart by its event id
  std::vector<bool> kept;                // which items go, in their order; empty: all
  std::optional<buffer::Bytes> decoded;  // once somebody had to look inside
};

void add_count(std::vector<ItemCount>& counts, relay::DataCategory category, std::uint64_t quantity);

// The envelope, kept in the parcel for who asks next. Fault::malformed when it does not decode,
// Fault::unavailable when there is no room for it just now.
Result<std::string_view> decode(Parcel& parcel);

// Fills in Label::happened by what of the parcel goes. What does not decode or parse is taken to be of when it
// arrived: to judge that is not for here. Fault::unavailable when there is no room for it just now.
Result<void> read_happened(Parcel& parcel);

// An upstream limit on any of these makes the parcel wait (Label::decisive).
std::vector<relay::DataCategory> decisive_of(const std::vector<ItemCount>& counts);

// One item of no known category: what a record counts as that cannot be opened.
Label unreadable_label(buffer::Sequence sequence, relay::ProjectId project, Time received);

// Fault::malformed when it does not decode, parse or have an address, Fault::unavailable when there
// is no room for it just now. Its views are the record's.
Result<Parcel> open_record(const buffer::StoredRecord& record,
                           const Routes& routes,
                           const buffer::ByteRoom& room);

// By what the record says of itself, so the same whatever is configured: that of an envelope which cannot
// be opened is `other`. Fault::unavailable when there is no room to open it just now.
Result<SendClass> class_of_record(const buffer::StoredRecord& record, const buffer::ByteRoom& room);

struct Request {
  std::string url;
  std::vector<std::string> headers;  // "Name: value", without control characters
  std::string body;                                // its beginning, or all of it
  relay::Coding coding = relay::Coding::identity;  // of the body
  buffer::Bytes rest = {};                         // of a large one: lies in a file
  std::size_t kept_answer_bytes = 1'000;           // more of the answer is not kept
  std::size_t most_answer_bytes = std::size_t{1} << 20;  // more of it ends the transfer

  std::size_t body_bytes() const { return body.size() + rest.size(); }
  // Of the head, about: what libcurl adds itself is left to the meter.
  std::size_t head_bytes() const;
  // What the link must have room for: both, and an answer.
  std::size_t wire_bytes() const { return head_bytes() + body_bytes() + 512; }
};

// How the body may leave.
struct Packing {
  relay::Coding coding = relay::Coding::zstd;
  int level = 1;
  // What needs no change may leave in the compression it came in, which costs next to nothing.
  bool as_stored = true;
};

// Adds us, `instance`, to what the parcel has come through; false when we are among it already.
bool note_way(Parcel& parcel, std::string_view instance);
// By record_id a Picket knows an envelope that comes once more: it is the same at each attempt, and all the way from the
// Picket that had it first.
void give_record_id(Parcel& parcel, std::string_view instance);

// What has been here for less than this leaves with the sent_at it came with: the time that a
// request may take on its way anyway, and far below what upstreams take for clock drift.
constexpr Duration unchanged_stay = Duration(1000);

// `now` is when it leaves: sent_at moves on by as long as the envelope has been here.
// Fault::malformed when the stored body does not decode or parse, Fault::unavailable when there is
// no room for it just now.
Result<Request> render_request(const Parcel& parcel, Time now, const Packing& packing);

}  // namespace picket::upstream
