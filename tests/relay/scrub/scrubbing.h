// Short ways to scrub one item in a test.
#pragma once

#include "relay/protocol/json_index.h"
#include "relay/scrub/scrubber.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace picket::scrub {

// The payload after scrubbing: as it was when nothing matched.
inline std::string scrubbed(const Settings& settings,
                            std::string_view payload,
                            const std::string& type = "event",
                            std::string_view attachment_type = {}) {
  const auto scrubber = Scrubber::make(settings);
  EXPECT_TRUE(scrubber) << scrubber.error().detail;
  if (!scrubber) return "no scrubber";
  relay::Item item;
  item.payload = payload;
  item.type = type;
  item.attachment_type = attachment_type;
  item.header = "{}";
  const auto after = scrubber->scrub(item);
  if (!after) return std::string(payload);
  // Whatever is scrubbed: JSON stays JSON, and a second time changes nothing.
  EXPECT_TRUE(relay::is_json(*after) || !relay::is_json(payload)) << *after;
  item.payload = *after;
  EXPECT_EQ(scrubber->scrub(item).value_or("the same"), "the same") << *after;
  return *after;
}

// The payload up to its `_meta`, which comes last when scrubbing adds it.
inline std::string without_meta(const std::string& payload) {
  const auto meta = payload.find(",\"_meta\":");
  return meta == std::string::npos ? payload : payload.substr(0, meta) + "}";
}

inline std::string meta_of(const std::string& payload) {
  const auto meta = payload.find("\"_meta\":");
  return meta == std::string::npos ? "" : payload.substr(meta + 8, payload.size() - meta - 9);
}

// Only these rules.
inline Settings advanced(const std::string& json) {
  Settings settings;
  settings.scrub_data = false;
  settings.pii_config_json = json;
  return settings;
}

// One rule at one selector.
inline Settings applied(const std::string& selector, const std::string& rule) {
  return advanced(R"({"applications":{")" + selector + R"(":[")" + rule + R"("]}})");
}

}  // namespace picket::scrub
