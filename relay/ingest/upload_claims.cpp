#include "relay/ingest/upload_claims.h"

#include "buffer/logger.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::ingest {
namespace {

// The ids of uploads that records from `from` on name.
Result<std::set<std::string>> find_stored(const buffer::Journal& journal, buffer::Sequence from) {
  constexpr std::size_t most_bytes = std::size_t{1} << 20;
  constexpr std::size_t most_records = 1'000;
  std::set<std::string> stored;
  for (;;) {
    const auto batch = journal.read(from, most_bytes, most_records);
    if (!batch) return batch.error();
    for (const auto& record : batch->records) {
      schema::IntakeMeta meta;
      if (!meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()))) continue;
      for (const auto& id : meta.uploads()) stored.insert(relay::render_hex(id));
    }
    if (batch->next == from) return stored;
    from = batch->next;
  }
}

}  // namespace

std::shared_ptr<UploadStore> settle_claims(std::shared_ptr<UploadStore> store, const buffer::Journal& journal) {
  const auto claims = store->claims();
  if (claims.empty()) return store;
  const auto oldest = std::ranges::min_element(claims, {}, [](const auto& claim) { return claim.second; });
  const auto stored = find_stored(journal, oldest->second);
  if (!stored) {
    log(Level::warning, "ingest", "uploads that may be stored already are kept", {{"reason", stored.error().detail}});
    return store;
  }
  std::vector<std::string> used;
  std::vector<std::string> free;
  for (const auto& [id, sequence] : claims) (stored->contains(id) ? used : free).push_back(id);
  store->disclaim(free);
  store->use_up(std::move(used));
  return store;
}

}  // namespace picket::ingest
