// What the tests of the small endpoints share: requests by query key, and the items of what was
// kept.
#pragma once

#include "relay/ingest/desk.h"

namespace picket::ingest {

class SmallEndpointTest : public DeskTest {
 protected:
  using DeskTest::DeskTest;

  static std::string address(std::string_view endpoint, std::string_view more = {}) {
    return "/api/1/" + std::string(endpoint) + "?sentry_key=" + std::string(good_key) +
           std::string(more);
  }
  static Fields typed(std::string type) { return {{"Content-Type", std::move(type)}}; }

  struct KeptItem {
    std::string type;
    std::string header;
    std::string payload;
    std::uint32_t count;
  };
  // Of the one record that the journal holds.
  std::vector<KeptItem> kept() const {
    const auto bytes = decoded(only_record());
    const auto envelope = relay::parse_envelope(bytes);
    EXPECT_TRUE(envelope);
    std::vector<KeptItem> items;
    if (!envelope) return items;
    for (const auto& item : envelope->items) {
      items.push_back(
          {item.type, std::string(item.header), std::string(item.payload), item.item_count});
    }
    return items;
  }
  std::string only_payload() const {
    const auto items = kept();
    EXPECT_EQ(items.size(), 1U);
    return items.empty() ? std::string() : items.front().payload;
  }
  bool kept_nothing() const { return journal.records().empty(); }
};

}  // namespace picket::ingest
