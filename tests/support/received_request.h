// How the fake upstream reads a request.
#pragma once

#include "support/fake_upstream.h"

#include <string_view>

namespace picket::testing {

// `head` up to and with the line end of its last field.
Received parse_head(std::string_view head);
std::size_t parse_length(const Received& received);
// Fills in envelope and event id, as far as the body can be read. A batch of envelopes stays packed.
void decode_body(Received& received, std::string_view body);

}  // namespace picket::testing
