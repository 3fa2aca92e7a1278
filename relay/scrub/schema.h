// What Sentry's payloads are made of, as far as scrubbing asks: which fields may be touched, and
// which types of selectors name them. What is not listed is not touched, or follows the listed rest
// of its record.
//
// Facts of Sentry's data model: https://develop.sentry.dev/sdk/data-model/event-payloads/
#pragma once

#include "relay/scrub/selector.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace picket::scrub {

struct Node;

enum class Shape : std::uint8_t {
  any,         // any JSON; what is in it may be touched as it may itself
  record,      // an object with known fields
  list,        // an array of `element`
  values,      // {"values": [element …]}, the array alone, or one element alone
  map,         // an object whose members are `element`
  pairs,       // an object, or an array of [key, value]
  query,       // pairs, or a text of key=value with & between them
  cookies,     // pairs, or a text of key=value with ; between them
  url,         // a text that may hold a query
  body,        // any JSON, or a text that may be JSON or a query
  path,        // the path of a file; its last part stays
  logentry,    // a record, or its `formatted` alone
  contexts,    // an object of contexts, by their type
  attributes,  // an object of {"type": …, "value": …}
  dom_node,    // a record; of one with `isStyle` the text may be touched only by selectors that name it
};

struct Field {
  std::string_view name;
  const Node* node = nullptr;  // of what must not be touched: nullptr
  Pii pii = Pii::no;
  std::string_view canonical;  // the name in selectors where it is another one
};

struct Node {
  Shape shape = Shape::any;
  Types types;
  std::vector<Field> fields;
  Field rest;                     // of fields that are not listed
  const Node* element = nullptr;  // of lists and maps
  Pii element_pii = Pii::no;

  const Field& field(std::string_view name) const;
  void index();  // after the fields are complete

 private:
  static std::size_t slot_of(std::string_view name);
  std::array<std::uint8_t, 64> slots_{};  // 1 + the first field
  std::vector<std::uint8_t> next_;        // 1 + the next one in the slot
};

class Schema {
 public:
  static const Schema& get();

  // nullptr for items that are not scrubbed as JSON.
  const Node* root_of(std::string_view item_type) const;
  // Of the items of a container, {"items": [item …]}; nullptr for types that have none.
  const Node* container_of(std::string_view item_type) const;
  // The context's record by its type, for an unknown one any JSON.
  const Field& context(std::string_view type) const { return contexts_.field(type); }
  const Node& any() const { return any_; }
  const Node& message() const { return message_; }
  const Node& body() const { return body_; }
  const Node& cookie_text() const { return cookies_; }

 private:
  Schema();
  void make_values();
  void make_traces();
  void make_contexts();
  void make_stack();
  void make_event();
  void make_others();

  Node any_, message_, path_, pairs_, query_, cookies_, url_, body_, attributes_, attributes_maybe_;
  Node geo_, user_, sdk_, request_, logentry_, breadcrumb_, breadcrumbs_;
  Node frame_, frames_, stacktrace_, mechanism_, exception_, exceptions_, thread_, threads_,
      template_;
  Node image_, images_, debug_meta_, span_data_, span_tags_, span_, spans_, contexts_,
      contexts_field_;
  Node response_, trace_, device_, feedback_, named_context_, monitor_;
  Node event_, replay_, log_, span_v2_, span_links_, span_link_, trace_metric_, trace_attachment_,
      session_attrs_, session_;
  Node view_element_, view_elements_, view_hierarchy_;
  Node check_in_, user_report_, profile_, security_, event_errors_, event_error_, form_;
};

// Whether an attribute of a span, a log or a metric may be touched, by its name.
Pii attribute_pii(std::string_view name);

}  // namespace picket::scrub
