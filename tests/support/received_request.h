// How the fake upstream reads a request.
#pragma once

#include "support/fake_upstream.h"

#include <string>
#include <string_view>

namespace picket::testing {

// `head` up to and with the line end of its last field.
Received parse_head(std::string_view head);
std::size_t parse_length(const Received& received);
// Fills in envelope and event id, as far as the body can be read. A batch of envelopes stays packed.
void decode_body(Received& received, std::string_view body);
// As 32 hex digits; empty when the envelope's header names none.
std::string event_id_of(std::string_view envelope);

}  // namespace picket::testing
