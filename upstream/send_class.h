// What kinds of envelopes there are for those who decide which go first, which go when every byte
// counts, and how long each is worth sending.
//
// INVARIANT  Every envelope belongs to exactly one class, for ever: classes are stored.
#pragma once

#include "relay/protocol/data_category.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::upstream {

// Stored; never renumber. The usual order: the first matters most.
enum class SendClass : std::uint8_t {
  errors = 0,        // crashes, errors, security reports, feedback
  check_ins = 1,
  sessions = 2,
  transactions = 3,  // and spans
  logs = 4,          // and metrics
  replays = 5,       // and profiles
  attachments = 6,   // by themselves: those of an event go with it
  other = 7,         // client reports, what is not known
};
inline constexpr std::array send_classes = {SendClass::errors, SendClass::check_ins, SendClass::sessions, SendClass::transactions,
                                            SendClass::logs, SendClass::replays, SendClass::attachments, SendClass::other};

std::string_view class_name(SendClass send_class);
std::optional<SendClass> parse_send_class(std::string_view name);

// `decisive` as a label has it. Of several the first in the usual order.
SendClass class_of(const std::vector<relay::DataCategory>& decisive);

}  // namespace picket::upstream
