// The steps of normalisation, in their order. Each brings one part of the event into the one shape
// that everything behind it may rely on, and notes what it took out.
//
// THREADS  Any; a Work belongs to one.
#pragma once

#include "api/digest/event.h"
#include "api/digest/geo.h"
#include "api/digest/normalize_notes.h"

#include <boost/json.hpp>

#include <span>
#include <string_view>

namespace picket::digest {

struct Work {
  json::object& event;
  const EventSource& source;
  const GeoLookup* geo;  // nullptr without one
  Notes& notes;
  const Place root{};
};

// What a field of an object must be. Scalars where text belongs become text; text over its length is
// cut; anything else of the wrong kind is taken out with a note, null without one.
enum class FieldKind : std::uint8_t { text, whole, number, flag, time, object, list };
struct Field {
  std::string_view name;
  FieldKind kind = FieldKind::text;
  Length length{};  // of text; 0: any
};
void check_fields(json::object& object, std::span<const Field> fields, const Place& place, Notes& notes);
// Text in place, cut; false when the value was no scalar.
bool check_text(json::value& value, Length length, const Place& place, Notes& notes);
// Takes `name` out of `object` and notes it as invalid.
void reject(json::object& object, std::string_view name, std::string_view reason, const Place& place, Notes& notes);

void normalize_legacy(Work& work);        // old names and shapes → present ones
void normalize_fields(Work& work);        // the event's own fields: kinds, lengths, valid characters
void normalize_security(Work& work);      // reports of browsers → events
void normalize_times(Work& work);         // clock drift, future and past, in all timestamps
void normalize_transaction(Work& work);   // start ≤ end, name without identifiers
void normalize_addresses(Work& work);     // {{auto}}, REMOTE_ADDR, places by address
void normalize_user(Work& work);
void normalize_message(Work& work);
void normalize_debug_images(Work& work);
void normalize_breadcrumbs(Work& work);
void normalize_tags(Work& work);
void normalize_exceptions(Work& work);    // and stacks and threads
void normalize_client(Work& work);        // User-Agent and client hints → contexts; device class
void normalize_measurements(Work& work);  // and breakdowns
void normalize_defaults(Work& work);
void normalize_trace(Work& work);
void normalize_request(Work& work);
void normalize_contexts(Work& work);
void normalize_spans(Work& work);
void trim_event(Work& work);              // depth and bytes of what has no fixed shape

// normalize_stack.cpp's half: one stack, from a list or {"frames": […]}; false when it has no frames.
bool normalize_stacktrace(json::value& stacktrace, const Place& place, Notes& notes);
void normalize_mechanism(json::object& exception, std::string_view platform, const Place& place, Notes& notes);

}  // namespace picket::digest
