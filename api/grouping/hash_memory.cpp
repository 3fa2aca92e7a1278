#include "api/grouping/hash_memory.h"

#include "buffer/byte_stream.h"

#include <algorithm>

namespace picket::grouping {
namespace {

void add_frames(std::span<const Frame> frames, const SeenFrames& seen, buffer::ByteWriter& key) {
  key.varint(frames.size());
  for (std::size_t index = 0; index < frames.size(); ++index) {
    const bool recursion = index > 0 && is_recursion(frames[index], frames[index - 1]);
    key.varint(seen[index]->number << 2 | (frames[index].in_app.value_or(false) ? 2U : 0U) | (recursion ? 1U : 0U));
  }
}

}  // namespace

std::string key_of_stacks(const Evidence& evidence, SeenStacks& stacks) {
  const bool decides = !evidence.exceptions.empty() && std::ranges::all_of(evidence.exceptions, [](const auto& each) {
    return !each.is_group && (!each.frames.empty() || each.value.empty());
  });
  if (!decides) return {};
  buffer::ByteWriter key;
  key.text(evidence.platform);
  for (const auto& exception : evidence.exceptions) {
    key.text(exception.type);
    key.text(exception.mechanism);
    key.u8(static_cast<std::uint8_t>((exception.synthetic ? 1U : 0U) | (exception.has_stacktrace ? 2U : 0U) |
                                      (exception.ns_error ? 4U : 0U) | (exception.value.empty() ? 8U : 0U)));
    if (exception.ns_error) {
      key.text(exception.ns_error->domain);
      key.text(exception.ns_error->code);
    }
    add_frames(exception.frames, *stacks.of(exception.frames), key);
  }
  return key.take();
}

std::optional<std::vector<Hash>> HashMemory::find(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto number = keys_.find(key);
  if (!number) return std::nullopt;
  const auto& known = known_[*number];
  return std::vector<Hash>(known.hashes.begin(), known.hashes.begin() + known.count);
}

void HashMemory::keep(std::string_view key, std::span<const Hash> hashes) {
  if (hashes.size() > most_hashes || key.size() > most_bytes / 16) return;
  const std::lock_guard lock(mutex_);
  if (keys_.memory_bytes() + known_.size() * sizeof(Known) > most_bytes) {
    keys_ = {};
    known_.clear();
  }
  if (keys_.intern(key) != known_.size()) return;  // another thread came first
  auto& known = known_.emplace_back();
  std::ranges::copy(hashes, known.hashes.begin());
  known.count = static_cast<std::uint8_t>(hashes.size());
}

}  // namespace picket::grouping
