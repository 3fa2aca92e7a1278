// The event of an uploaded crash, put together from what came beside the dump: an event and
// breadcrumbs in MessagePack, fields of the form, facts from the dump's head.
//
//   sentry             a JSON object             sentry___global, sentry___initialScope: likewise
//   sentry__1 … N      one JSON object in pieces that fit a Crashpad annotation
//   sentry[a][b]       one value of it
//   anything else      goes into `extra`
//
// What comes first stays; what comes later fills in what is missing.
// https://docs.sentry.io/platforms/native/guides/minidumps/
#pragma once

#include "relay/protocol/envelope.h"
#include "relay/protocol/minidump.h"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

class CrashEvent {
 public:
  // JSON of an event; what is no object is passed over. False then.
  bool merge(std::string_view json);
  void merge(const boost::json::object& more);
  // One text field of a form, in their order.
  void add_field(std::string_view name, std::string_view value);
  // JSON objects, oldest first within a list. The newest 100 of both stay.
  void add_breadcrumbs(std::vector<std::string> first, std::vector<std::string> second);
  void add_facts(const relay::MinidumpFacts& facts);

  // Completes it: platform native, level fatal, an exception that stands for the dump (of Sentry's
  // own shape, so that an upstream symbolicates it), an event id.
  relay::EventId finish(std::string_view reason);
  std::string render() const;  // JSON, also where a form or an archive held bytes that are not UTF-8

  boost::json::object& fields() { return event_; }

 private:
  void join_chunks();

  boost::json::object event_;
  std::vector<std::pair<unsigned, std::string>> chunks_;
};

}  // namespace picket::ingest
