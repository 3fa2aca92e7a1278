// Writes the envelopes that converters make: everything in the journal is one.
#pragma once

#include "relay/protocol/envelope.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace picket::ingest {

class EnvelopeWriter {
 public:
  explicit EnvelopeWriter(const std::optional<relay::EventId>& event_id = {});

  // `more` is appended to the item header as it is: `,"key":value` or "".
  void add(std::string_view type, std::string_view payload, std::string_view more = {});

  // A container item, `{"items":[…]}`; `entries` are JSON values with commas between. Nothing is
  // added for a count of 0.
  void add_container(std::string_view type, std::size_t count, std::string_view entries);

  std::size_t size() const { return bytes_.size(); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Any bytes as a JSON string, quotes included; what is not UTF-8 is replaced.
std::string json_text(std::string_view text);

}  // namespace picket::ingest
