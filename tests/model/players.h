// Who plays in the model: what producers send (records that tell their number, one item each), and the destinations.
#pragma once

#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/data_category.h"
#include "support/temp_dir.h"
#include "upstream/ledger.h"
#include "upstream/window.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::model {

constexpr std::uint64_t project = 7;

inline std::string id_of(std::uint64_t number) {
  const auto digits = std::to_string(number);
  return std::string(32 - digits.size(), '0') + digits;
}

inline std::string envelope_of(std::uint64_t number, std::size_t pad) {
  const auto payload = R"({"message":"m","extra":{"pad":")" + std::string(pad, static_cast<char>('a' + number % 26)) + "\"}}";
  return R"({"event_id":")" + id_of(number) + "\"}\n" + R"({"type":"event","length":)" + std::to_string(payload.size()) + "}\n" + payload + "\n";
}

// Every third is worth little.
inline bool is_low(std::uint64_t number) { return number % 3 == 0; }

// As intake notes it: one item, a transaction where it is worth little.
inline std::string meta_of(std::uint64_t number) {
  schema::IntakeMeta meta;
  meta.add_item_counts(static_cast<std::uint64_t>(is_low(number) ? relay::DataCategory::transaction : relay::DataCategory::error));
  meta.add_item_counts(1);
  return meta.SerializeAsString();
}

inline bool worth_least(const buffer::StoredRecord& record) {
  schema::IntakeMeta meta;
  meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()));
  return meta.item_counts_size() == 2 && meta.item_counts(0) == static_cast<std::uint64_t>(relay::DataCategory::transaction);
}

struct Acknowledged {
  std::uint64_t number = 0;
  std::string body;
  Time received{};
};

// Memory where there is some that is a file system: what is tested here is not how fast a disk syncs.
inline std::unique_ptr<testing::TempDir> make_folder() {
  if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
  return std::make_unique<testing::TempDir>();
}

struct Destination {
  explicit Destination(std::string its_name) : name(std::move(its_name)) {}

  const std::string name;
  // Of the process that is running.
  upstream::Window window;
  upstream::Ledger ledger;
  std::vector<buffer::Sequence> under_way;
  // Of the upstream, which outlives it, and of the model.
  std::map<buffer::Sequence, int> received;
  std::set<buffer::Sequence> unwritten;   // received, and the cursor that says so is not written
  std::set<buffer::Sequence> may_repeat;  // the process died on them
};

}  // namespace picket::model
