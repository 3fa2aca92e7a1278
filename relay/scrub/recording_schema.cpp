#include "relay/scrub/recording_schema.h"

#include "relay/scrub/schema_parts.h"

namespace picket::scrub {
namespace {

class RecordingSchema {
 public:
  RecordingSchema();
  RecordingSchema(const RecordingSchema&) = delete;
  RecordingSchema& operator=(const RecordingSchema&) = delete;

  const Node& event() const { return event_; }

 private:
  void make_page();
  void make_calls();
  void make_event();
  // A record of which all may be touched that is not listed.
  void open_record(Node& node) {
    record(node);
    node.rest = {{}, &any_, Pii::yes, {}};
  }

  Node any_, url_, pairs_, body_;
  Node dom_attributes_, dom_node_, dom_nodes_, added_, all_added_, changed_, all_changed_;
  Node arguments_, message_, details_, payload_, data_, event_;
};

RecordingSchema::RecordingSchema() {
  url_.shape = Shape::url;
  pairs_.shape = Shape::pairs;
  body_.shape = Shape::body;
  make_page();
  make_calls();
  make_event();
  for (auto* node : {&dom_attributes_, &dom_node_, &added_, &changed_, &message_, &details_, &payload_, &data_, &event_})
    node->index();
}

// Full snapshots and mutations.
void RecordingSchema::make_page() {
  open_record(dom_attributes_);
  touch(dom_attributes_, Pii::maybe, any_,
        {"class", "style", "id", "type", "rel", "media", "role", "name", "for", "lang", "dir", "autocomplete", "integrity",
         "_cssText", "d", "viewBox", "transform", "points", "fill", "stroke", "width", "height", "rr_width", "rr_height"});
  touch(dom_attributes_, Pii::yes, url_, {"href", "src", "action", "formaction", "poster", "cite", "data", "xlink:href"});

  open_record(dom_node_);
  dom_node_.shape = Shape::dom_node;
  leave(dom_node_, {"type", "id", "rootId", "tagName", "publicId", "systemId", "isSVG", "isStyle", "isShadowHost",
                    "isShadow", "isCustom", "needBlock", "compatMode"});
  touch(dom_node_, Pii::yes, dom_attributes_, {"attributes"});
  touch(dom_node_, Pii::yes, dom_nodes_, {"childNodes"});
  list(dom_nodes_, dom_node_, Pii::yes);

  open_record(added_);
  leave(added_, {"parentId", "nextId", "previousId", "index"});
  touch(added_, Pii::maybe, any_, {"rule"});  // of a style sheet
  touch(added_, Pii::yes, dom_node_, {"node"});
  list(all_added_, added_, Pii::yes);

  open_record(changed_);
  leave(changed_, {"id"});
  touch(changed_, Pii::yes, dom_attributes_, {"attributes"});
  list(all_changed_, changed_, Pii::yes);
}

// Breadcrumbs and what the page has fetched.
void RecordingSchema::make_calls() {
  open_record(message_);
  leave(message_, {"size", "_meta"});
  touch(message_, Pii::yes, url_, {"url"});
  touch(message_, Pii::yes, pairs_, {"headers"});
  touch(message_, Pii::yes, body_, {"body"});

  list(arguments_, any_, Pii::yes);  // of the console: one beside the other, not a key and its value
  open_record(details_);
  leave(details_, {"nodeId", "statusCode"});
  touch(details_, Pii::yes, url_, {"url", "to", "from", "href"});
  touch(details_, Pii::yes, message_, {"request", "response"});
  touch(details_, Pii::yes, arguments_, {"arguments"});
  touch(details_, Pii::yes, dom_node_, {"node"});

  open_record(payload_);
  leave(payload_, {"timestamp", "startTimestamp", "endTimestamp"});
  touch(payload_, Pii::yes, url_, {"description"});
  touch(payload_, Pii::yes, details_, {"data"});
}

void RecordingSchema::make_event() {
  open_record(data_);
  leave(data_, {"source", "type", "id", "x", "y", "width", "height", "positions", "pointerType", "removes", "set"});
  touch(data_, Pii::maybe, any_, {"styles"});
  touch(data_, Pii::yes, url_, {"href"});
  touch(data_, Pii::yes, payload_, {"payload"});
  touch(data_, Pii::yes, dom_node_, {"node"});
  touch(data_, Pii::yes, all_added_, {"adds"});
  touch(data_, Pii::yes, all_changed_, {"attributes"});

  open_record(event_);
  event_.types = ValueType::replay;
  leave(event_, {"type", "timestamp", "delay"});
  touch(event_, Pii::yes, data_, {"data"});
}

}  // namespace

const Node& recorded_event() {
  static const RecordingSchema schema;
  return schema.event();
}

}  // namespace picket::scrub
