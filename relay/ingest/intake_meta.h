// What intake knows of a request and the envelope does not say.
#pragma once

#include "buffer/schema/rows.pb.h"
#include "relay/http/message.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/envelope.h"

#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

// The first address that a proxy before us names, else the socket's.
std::string find_client_address(const http::RequestHead& head);

// The fields that come from the head; over-long ones are cut, what is not printable ASCII replaced.
schema::IntakeMeta make_intake_meta(const http::RequestHead& head, std::string_view client);

// What forwarders want to know of an envelope without opening it again. `meta` has the event id.
void describe_envelope(const relay::Envelope& envelope,
                       const std::vector<ItemCount>& items,
                       const relay::ProjectKey& key,
                       schema::IntakeMeta& meta);

}  // namespace picket::ingest
