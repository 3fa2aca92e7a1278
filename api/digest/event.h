// An Event is what Picket reads of one event payload. The payload itself stays in the journal and
// is shown from there; this is what issues, tags and statistics are made of.
//
// The reading is tolerant: arrays where objects are expected and the reverse, numbers for text,
// null, missing, over-long, bytes that are not UTF-8, NaN and Infinity, legacy spellings. What has
// no usable shape is left out; nothing but JSON that cannot be read at all is an error.
//
// INVARIANT  Every text is valid UTF-8 and no longer than Sentry's limit for its field.
// THREADS    parse_event() from any thread; an Event is immutable afterwards.
#pragma once

#include "api/digest/text.h"
#include "api/digest/user_agent.h"
#include "api/grouping/evidence.h"
#include "buffer/clock.h"
#include "buffer/result.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/envelope.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::digest {

// Sentry's numbers, stored in rows: never renumber.
enum class EventLevel : std::uint8_t {
  sample = 0,
  debug = 10,
  info = 20,
  warning = 30,
  error = 40,
  fatal = 50,
};
std::string_view wire_name(EventLevel level);
// Names, their aliases ("warn", "critical") and the numbers of logging libraries.
std::optional<EventLevel> parse_level(std::string_view text);
EventLevel level_of_number(std::uint32_t number);  // rounded down to a known one

enum class EventType : std::uint8_t {
  default_,
  error,
  csp,
  hpkp,
  expect_ct,
  expect_staple,
  nel,
  transaction,
  feedback,
  generic,
};
std::string_view wire_name(EventType type);
std::optional<EventType> event_type_named(std::string_view name);
relay::DataCategory category_of(EventType type);
bool is_security(EventType type);

// What grouping looks at is its own vocabulary.
using grouping::ExceptionValue;
using grouping::Frame;
using grouping::Tag;

// The thread that an event is about: its stack, unless Event::stacktrace is that very stack.
struct EventThread {
  std::size_t count = 0;       // of all threads
  bool chosen = false;         // grouping::Threads says by what rule
  bool has_stacktrace = false;
  bool is_shown = false;       // its frames are Event::stacktrace
  std::vector<Frame> frames;
};

struct EventUser {
  std::string_view id;
  std::string_view email;
  std::string_view username;
  std::string_view ip;
};

struct NamedContext {
  std::string_view name;
  std::string_view version;
};

// What intake knows of an item and its payload does not say.
struct EventSource {
  std::string_view item_type;       // "event", "transaction", …; "" when unknown
  std::string_view remote_address;  // of the sender
  std::int64_t sent_at_ms = 0;      // by the SDK's clock; 0 when it did not say
  std::int64_t received_ms = 0;
  Duration max_age = Duration(std::int64_t{90} * 24 * 3600 * 1000);
};

struct Event {
  std::optional<relay::EventId> id;
  std::optional<std::int64_t> timestamp_ms;
  std::optional<EventLevel> level;
  EventType type = EventType::default_;
  std::string_view platform;
  std::string_view logger;
  std::string_view transaction;
  std::string_view culprit;  // only when the SDK named one
  std::string_view release;
  std::string_view dist;
  std::string_view environment;
  std::string_view server_name;
  std::string_view site;

  std::string_view message;    // the template when there are parameters
  std::string_view formatted;  // what is shown; equals message when the SDK did not format
  bool has_params = false;

  std::vector<ExceptionValue> exceptions;  // innermost cause first, as on the wire
  std::vector<Frame> stacktrace;           // of the event itself, or of its crashed thread
  bool has_stacktrace = false;             // the event itself, even if it has no frames
  EventThread thread;
  std::optional<grouping::Template> error_template;
  std::vector<std::string_view> fingerprint;
  std::vector<Tag> tags;  // the event's own, in its order, keys not repeated
  std::vector<Tag> flags;  // feature flags and what they were, names not repeated; at most 100
  EventUser user;
  std::string_view request_url;
  std::string_view request_method;
  std::string_view user_agent;
  ClientHints hints;
  std::string_view sdk_name;
  std::string_view sdk_version;

  NamedContext browser;
  NamedContext os;
  NamedContext client_os;
  NamedContext runtime;
  bool device_given = false;  // there is a device context
  struct Device {
    std::string_view model;
    std::string_view family;
  } device;
  std::string_view device_class;
  std::string_view trace_id;  // 16 raw bytes, or empty
  std::string_view span_id;   // 8 raw bytes, or empty

  // What settle() decides the user's address and the transaction's name by.
  std::string_view remote_address;  // request.env.REMOTE_ADDR
  std::string_view infer_ip;        // sdk.settings.infer_ip
  std::string_view transaction_source;

  std::string_view csp_directive;
  std::string_view csp_blocked;
  std::string_view csp_document;
  std::string_view csp_violated;   // the whole directive
  std::string_view report_host;    // of the other security reports

  std::string_view feedback_message;
  std::string_view feedback_email;
  std::string_view feedback_name;
  std::string_view feedback_source;
  std::string_view feedback_event;  // 16 raw bytes of the event it is about, or empty

  bool repaired = false;  // the JSON was not quite JSON
  TextArena text;         // what all views point into

  // Error unless the payload says otherwise; info for transactions and feedback.
  EventLevel level_or_default() const;
  // False when any exception is known to be unhandled, nothing when no exception says.
  std::optional<bool> handled() const;
};

// What follows from where an event came from: its type by that of its item, the user's address, the
// name of a transaction. Once, after parse_event().
void settle(Event& event, const EventSource& source);

// Fault::malformed for what cannot be read as a JSON object, Fault::too_large past 64 MiB.
Result<Event> parse_event(std::string_view json);

}  // namespace picket::digest
