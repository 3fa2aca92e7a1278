#include "api/digest/tag_run.h"

#include <cstring>

namespace picket::digest {
namespace {

constexpr std::uint8_t run_version = 1;
constexpr std::size_t head_bytes = 1 + 5 * 4 + 8;
constexpr unsigned other_times = 1;
constexpr unsigned other_count = 2;

template <std::size_t bytes>
void append_number(std::string& out, std::uint64_t value) {
  char raw[bytes];
  for (std::size_t i = 0; i < bytes; ++i) raw[i] = static_cast<char>((value >> (8 * i)) & 0xff);
  out.append(raw, bytes);
}

void append_u32(std::string& out, std::uint64_t value) {
  append_number<4>(out, value);
}

void append_u64(std::string& out, std::uint64_t value) {
  append_number<8>(out, value);
}

// REQUIRES: four bytes are there.
std::size_t read_u32(const char* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
  return value;
}

// What lies between the ends of entry `index` and of the one before it.
std::string_view part(std::string_view all, const char* ends, std::size_t stride, std::size_t index) {
  const std::size_t begin = index == 0 ? 0 : read_u32(ends + (index - 1) * stride);
  const std::size_t end = read_u32(ends + index * stride);
  return begin <= end && end <= all.size() ? all.substr(begin, end - begin) : std::string_view();
}

// The uses of all owners, and who has each tag.
struct RenderedUses {
  std::vector<std::size_t> owner_ends;
  std::string uses;
  std::vector<std::size_t> holder_ends;
  std::string holders;
};

void append_use(const TagIncrements::Use& use, std::uint64_t steps, const TagSum& before, buffer::ByteWriter& out) {
  const bool times = use.sum.first_ms != before.first_ms || use.sum.last_ms != before.last_ms;
  const bool count = use.sum.count != before.count;
  out.varint(steps << 2 | (times ? other_times : 0U) | (count ? other_count : 0U));
  if (times) {
    out.varint(buffer::zigzag(use.sum.first_ms - before.first_ms));
    out.varint(static_cast<std::uint64_t>(use.sum.last_ms - use.sum.first_ms));
  }
  if (count) out.varint(use.sum.count);
}

RenderedUses render_uses(const TagIncrements& added, std::int64_t base_ms) {
  RenderedUses rendered;
  std::vector<std::size_t> holder_starts(added.tags.size() + 1);  // of each tag, in `held`
  for (const auto& use : added.uses) ++holder_starts[use.tag + 1];
  for (std::size_t tag = 0; tag < added.tags.size(); ++tag) holder_starts[tag + 1] += holder_starts[tag];
  std::vector<std::uint32_t> held(added.uses.size());
  auto next_held = holder_starts;
  buffer::ByteWriter uses;
  std::size_t at = 0;
  for (std::uint32_t owner = 0; owner < added.owners.size(); ++owner) {
    TagSum before{1, base_ms, base_ms};
    std::size_t next_tag = 0;
    for (; at < added.owners[owner].end; ++at) {
      const auto& use = added.uses[at];
      append_use(use, use.tag - next_tag, before, uses);
      before = use.sum;
      next_tag = std::size_t{use.tag} + 1;
      held[next_held[use.tag]++] = owner;
    }
    rendered.owner_ends.push_back(uses.bytes().size());
  }
  rendered.uses = uses.take();
  buffer::ByteWriter holders;
  for (std::size_t tag = 0; tag < added.tags.size(); ++tag) {
    std::size_t next_owner = 0;
    for (auto i = holder_starts[tag]; i < holder_starts[tag + 1]; ++i) {
      holders.varint(held[i] - next_owner);
      next_owner = std::size_t{held[i]} + 1;
    }
    rendered.holder_ends.push_back(holders.bytes().size());
  }
  rendered.holders = holders.take();
  return rendered;
}

}  // namespace

std::string render_tag_run(const TagIncrements& added) {
  const auto base_ms = added.uses.empty() ? 0 : added.uses.front().sum.first_ms;
  const auto rendered = render_uses(added, base_ms);
  std::size_t text_bytes = 0;
  for (const auto tag : added.tags) text_bytes += tag.size();

  std::string run;
  run.reserve(head_bytes + 8 * added.tags.size() + 20 * added.owners.size() + text_bytes + rendered.uses.size() + rendered.holders.size());
  run += static_cast<char>(run_version);
  append_u32(run, added.tags.size());
  append_u32(run, added.owners.size());
  append_u32(run, text_bytes);
  append_u32(run, rendered.uses.size());
  append_u32(run, rendered.holders.size());
  append_u64(run, static_cast<std::uint64_t>(base_ms));
  std::size_t text_end = 0;
  for (const auto tag : added.tags) append_u32(run, text_end += tag.size());
  for (const auto end : rendered.holder_ends) append_u32(run, end);
  for (std::size_t owner = 0; owner < added.owners.size(); ++owner) {
    append_u64(run, added.owners[owner].issue);
    append_u64(run, added.owners[owner].project);
    append_u32(run, rendered.owner_ends[owner]);
  }
  for (const auto tag : added.tags) run += tag;
  run += rendered.uses;
  run += rendered.holders;
  return run;
}

std::optional<TagRun> TagRun::parse(std::string_view bytes) {
  if (bytes.size() < head_bytes || static_cast<std::uint8_t>(bytes.front()) != run_version) return std::nullopt;
  const auto number = [&](std::size_t index) { return read_u32(bytes.data() + 1 + 4 * index); };
  TagRun run;
  run.tags_ = number(0);
  run.owners_ = number(1);
  run.base_ms_ = static_cast<std::int64_t>(buffer::load_word(bytes.data() + 1 + 5 * 4));
  auto rest = bytes.substr(head_bytes);
  bool there = true;
  const auto take = [&](std::size_t size) {
    there = there && size <= rest.size();
    if (!there) return std::string_view();
    const auto taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  };
  run.tag_ends_ = take(4 * run.tags_);
  run.holder_ends_ = take(4 * run.tags_);
  run.owner_rows_ = take(owner_bytes * run.owners_);
  run.texts_ = take(number(2));
  run.uses_ = take(number(3));
  run.holders_ = take(number(4));
  if (!there || !rest.empty()) return std::nullopt;
  return run;
}

std::string_view TagRun::tag(std::size_t tag) const {
  return part(texts_, tag_ends_.data(), 4, tag);
}

std::size_t TagRun::lower_bound_tag(std::string_view tag) const {
  std::size_t begin = 0;
  std::size_t end = tags_;
  while (begin < end) {
    const auto middle = (begin + end) / 2;
    if (this->tag(middle) < tag) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

std::size_t TagRun::lower_bound_owner(std::uint64_t issue, std::size_t from) const {
  std::size_t begin = from;
  std::size_t end = from;
  for (std::size_t step = 1; end < owners_ && this->issue(end) < issue; step *= 2) {
    begin = end + 1;
    end = std::min(owners_, end + step);
  }
  while (begin < end) {
    const auto middle = (begin + end) / 2;
    if (this->issue(middle) < issue) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

TagRun::Uses::Uses(const TagRun& run, std::size_t owner)
    : reader_(part(run.uses_, run.owner_rows_.data() + owner_bytes - 4, owner_bytes, owner)),
      tags_(run.tags_),
      sum_{1, run.base_ms_, run.base_ms_} {}

bool TagRun::Uses::next() {
  if (reader_.rest().empty()) return false;
  const auto head = reader_.varint();
  const auto steps = head >> 2;
  // Of what makes no sense numbers may wrap around, but nothing is read by them.
  if (steps >= tags_) return reader_ = buffer::ByteReader({}), false;
  tag_ += 1 + static_cast<std::size_t>(steps);
  if ((head & other_times) != 0) {
    const auto moved = static_cast<std::uint64_t>(buffer::unzigzag(reader_.varint()));
    sum_.first_ms = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum_.first_ms) + moved);
    sum_.last_ms = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum_.first_ms) + reader_.varint());
  }
  if ((head & other_count) != 0) sum_.count = reader_.varint();
  if (reader_.failed() || tag_ >= tags_) return reader_ = buffer::ByteReader({}), false;
  return true;
}

void TagRun::holders(std::size_t tag, std::vector<std::size_t>& owners) const {
  buffer::ByteReader reader(part(holders_, holder_ends_.data(), 4, tag));
  std::uint64_t next = 0;
  while (!reader.rest().empty()) {
    const auto steps = reader.varint();
    if (reader.failed() || steps >= owners_ || next + steps >= owners_) return;
    next += steps;
    owners.push_back(static_cast<std::size_t>(next++));
  }
}

}  // namespace picket::digest
