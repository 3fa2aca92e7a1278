// A browser's report of a broken policy, as the event that Sentry makes of it.
//
//   raw_security item: what the browser posted (relay/protocol/security_report.h), with
//   sentry_release and sentry_environment of the report's address in the item's header
//
// THREADS  Any.
#pragma once

#include "buffer/schema/rows.pb.h"
#include "relay/protocol/envelope.h"

#include <string>
#include <string_view>

namespace picket::digest {

// The payload of an event: type, message, culprit, tags, request, user, and the report under its
// interface's name with its fields in snake case. "" when the item holds no report.
std::string render_security_event(const relay::Item& item, const schema::IntakeMeta& meta);

// "Blocked 'image' from 'evil.example'", "Blocked inline 'style'": what a CSP report is called.
std::string describe_csp(std::string_view directive, std::string_view blocked, std::string_view violated);

// The host of an address with its port, else the text itself ("data", "inline").
std::string_view blocked_place(std::string_view uri);

}  // namespace picket::digest
