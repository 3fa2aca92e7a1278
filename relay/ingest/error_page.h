// /api/embed/error-page/: the dialog that a page shows after a crash, and the report it sends.
//
//   GET   ?dsn=…&eventId=…[&name=&email=&title=&labelName=…]   a script that shows the dialog
//   POST  the same query, form fields name, email, comments     a user_report item; 200 {}
#pragma once

#include "relay/ingest/endpoint.h"

#include <variant>

namespace picket::ingest {

// What stands in the query reaches the page as texts of a JSON object, never as markup.
// 400 without an event's id, 404 for a DSN that is not ours.
http::Response error_page(const PageContext& context);

std::variant<Converted, Refusal> convert_error_page(const Inbound& inbound);

}  // namespace picket::ingest
