#include "buffer/segment.h"

#include "buffer/descriptor.h"
#include "buffer/file_check.h"
#include "buffer/logger.h"
#include "buffer/segment_file.h"

#include <fcntl.h>

#include <mutex>
#include <vector>

namespace picket::buffer {
namespace {

// Pages that a commit may need beside those of the block: tree pages, the list of free pages.
constexpr std::uint64_t spare_pages = 16;
constexpr std::uint64_t overflow_head_bytes = 16;
constexpr std::uint64_t spare_map_bytes = std::uint64_t{1} << 20;

std::atomic<std::uint64_t> use_counter{0};

}  // namespace

// Runs `work` while the file is open and stays so.
template <class Value, class Work>
Result<Value> Segment::with_env(const Work& work) {
  last_used_ = ++use_counter;
  for (;;) {
    {
      const std::shared_lock lock(mutex_);
      if (gone_) return Error{Fault::not_found, path_.filename().string() + " is recycled"};
      if (env_) return work(*env_);
    }
    if (auto opened = open(); !opened) return opened.error();
  }
}

Result<void> Segment::open() {
  const std::unique_lock lock(mutex_);
  if (gone_) return Error{Fault::not_found, path_.filename().string() + " is recycled"};
  return env_ ? Result<void>() : open_file();
}

Result<void> Segment::open_file() {
  const bool writing = mode_ == Mode::writing;
  // A lock file beside it means that a process may be writing it now, under the walk's feet.
  const bool shared = mode_ == Mode::watching && std::filesystem::exists(lock_of(path_));
  auto checked = checked_ || shared ? inspect_file(path_) : check_file(path_);
  if (!checked && checked.error().fault == Fault::corrupt && mode_ != Mode::watching) {
    log(Level::error, "buffer", "segment is damaged, trying its state before the last commit",
        {{"reason", checked.error().detail}});
    checked = repair_file(path_);
  }
  if (!checked) return unless_recycled(checked.error());
  auto env = Env::open({.path = path_,
                        // A file that was written anew has no page to spare for removing a torn record: it grows,
                        // while others may watch.
                        .map_bytes = checked->file_bytes + (mode_ == Mode::sealed ? 0 : spare_map_bytes),
                        .read_only = !writing,
                        .no_lock = !writing && !shared});
  if (!env) return unless_recycled(env.error());
  const auto table = env->open_table("");
  if (!table) return table.error();
  blocks_ = *table;
  env_ = *std::move(env);
  set_use(*checked);
  checked_ = true;
  auto looked = check_first_block();
  if (looked) looked = find_dictionary();
  if (!looked) {
    forget_file();
    return looked;
  }
  open_ = true;
  return {};
}

// A disk that lost what emptied a free file, but not its new name, gives the segment that the file was before.
Result<void> Segment::check_first_block() const {
  const auto txn = ReadTxn::begin(*env_);
  if (!txn) return txn.error();
  auto cursor = txn->cursor(blocks_);
  const auto key = cursor.seek(render_block_key({})) ? parse_block_key(cursor.key()) : std::nullopt;
  if (!key || !(*key < name_)) return {};
  return Error{Fault::corrupt, path_.filename().string() + ": its first record is " + std::to_string(key->first) + ", of a segment that the file was before"};
}

// Of the two copies the first that is whole.
Result<void> Segment::find_dictionary() {
  const auto txn = ReadTxn::begin(*env_);
  if (!txn) return txn.error();
  if (const auto entry = txn->get(blocks_, summary_key)) summary_ = parse_summary(*entry);
  bool there = false;
  for (const auto key : {dictionary_key, dictionary_copy_key}) {
    const auto entry = txn->get(blocks_, key);
    if (!entry) continue;
    there = true;
    const auto dictionary = parse_dictionary(*entry);
    if (!dictionary) continue;
    // A copy: a page of a file that is written is used again.
    dictionary_ = *dictionary;
    inflate_.emplace(dictionary_);
    return {};
  }
  if (there) return Error{Fault::corrupt, path_.filename().string() + ": its dictionary is damaged"};
  return {};
}

void Segment::forget_file() {
  inflate_.reset();
  dictionary_ = std::string();
  summary_.reset();
  env_.reset();
  open_ = false;
}

// The process that writes may take a file away before this one has opened it.
Error Segment::unless_recycled(Error why) const {
  std::error_code ignored;
  if (mode_ != Mode::watching || std::filesystem::exists(path_, ignored)) return why;
  return Error{Fault::not_found, path_.filename().string() + " is recycled"};
}

Result<void> Segment::visit(BlockKey from, const Visitor& visitor) {
  return with_env<void>([&](const Env& env) -> Result<void> {
    const auto txn = ReadTxn::begin(env);
    if (!txn) return txn.error();
    auto cursor = txn->cursor(blocks_);
    const BlockKey behind{from.first, from.part + 1};
    bool there = cursor.seek_before(render_block_key(behind)) || cursor.first();
    for (; there; there = cursor.next()) {
      const auto key = parse_block_key(cursor.key());
      if (!key) continue;
      if (!is_bundle(cursor.value())) {
        if (!visitor(*key, cursor.value())) break;
        continue;
      }
      const auto goes_on = visit_bundle(*key, cursor.value(), from.first, visitor);
      if (!goes_on) return goes_on.error();
      if (!*goes_on) break;
    }
    return {};
  });
}

// What is damaged is given as bytes that are no block.
Result<bool> Segment::visit_bundle(BlockKey key, std::string_view bytes, Sequence from, const Visitor& visitor) const {
  const auto bundle = Bundle::parse(bytes);
  if (!bundle || bundle->head().head.key != key) return visitor(key, {});
  const auto wanted = bundle->head().dictionary;
  if (wanted != 0 && (!inflate_ || inflate_->id() != wanted)) {
    return Error{Fault::corrupt, path_.filename().string() + ": the dictionary that its blocks need is not there"};
  }
  Inflater inflater(wanted != 0 ? &*inflate_ : nullptr);
  std::string block;
  for (auto i = bundle->group_at(from); i < bundle->groups(); ++i) {
    const auto group = bundle->group(i);
    const bool whole = inflater.inflate(group.frame, group.block_bytes, block);
    if (!visitor({group.first, 0}, whole ? std::string_view(block) : std::string_view())) return false;
  }
  return true;
}

Result<std::optional<Segment::Last>> Segment::last() {
  using Found = std::optional<Last>;
  return with_env<Found>([&](const Env& env) -> Result<Found> {
    const auto txn = ReadTxn::begin(env);
    if (!txn) return txn.error();
    auto cursor = txn->cursor(blocks_);
    if (!cursor.last() || cursor.key().size() <= summary_key.size()) return Found();
    const auto key = parse_block_key(cursor.key());
    if (!key) return Error{Fault::corrupt, path_.filename().string() + ": a key of wrong length"};
    const auto head = parse_any_head(cursor.value());
    const bool right = head && head->key == *key;
    return Found(Last{*key, right ? Result<BlockHead>(*head)
                                  : Error{Fault::corrupt, "the last block is damaged"}});
  });
}

Result<SegmentUse> Segment::use() {
  return with_env<SegmentUse>([&](const Env& env) -> Result<SegmentUse> {
    const auto txn = ReadTxn::begin(env);
    if (!txn) return txn.error();
    const auto pages = env.use();
    SegmentUse use{.path = path_,
                   .first = name_.first,
                   .file_bytes = file_bytes_,
                   .used_bytes = pages.used_pages * pages.page_bytes};
    auto cursor = txn->cursor(blocks_);
    if (cursor.seek(render_block_key({}))) {
      if (const auto head = parse_any_head(cursor.value())) use.oldest = head->oldest;
    }
    if (cursor.last()) {
      if (const auto head = parse_any_head(cursor.value())) use.newest = head->newest;
    }
    if (summary_) use.bytes_before = summary_->bytes_before;
    return use;
  });
}

Result<std::optional<SegmentSummary>> Segment::summary() {
  return with_env<std::optional<SegmentSummary>>([&](const Env&) { return Result<std::optional<SegmentSummary>>(summary_); });
}

Result<std::string> Segment::dictionary() {
  return with_env<std::string>([&](const Env&) { return Result<std::string>(dictionary_); });
}

std::uint64_t Segment::room_bytes() const {
  const std::shared_lock lock(mutex_);
  if (!env_) return 0;
  const auto use = env_->use();
  const auto needed = (use.used_pages + spare_pages) * use.page_bytes + overflow_head_bytes;
  return needed < file_bytes_ ? file_bytes_ - needed : 0;
}

bool Segment::fits(std::size_t block_bytes) const {
  return block_bytes <= room_bytes();
}

Result<void> Segment::append(BlockKey key,
                             std::size_t bytes,
                             const std::function<void(char*)>& fill) {
  const std::shared_lock lock(mutex_);
  if (!env_) return Error{Fault::unavailable, path_.filename().string() + " is not open"};
  auto txn = WriteTxn::begin(*env_);
  if (!txn) return txn.error();
  const auto room = txn->append_reserved(blocks_, render_block_key(key), bytes);
  if (!room) return room.error();
  fill(*room);
  const auto number = txn->number();
  auto committed = (*std::move(txn)).commit();
  if (!committed) note_failed_commit(number);
  note_size(static_cast<bool>(committed));
  return committed;
}

Result<void> Segment::remove_from(BlockKey key) {
  const std::shared_lock lock(mutex_);
  if (!env_) return Error{Fault::unavailable, path_.filename().string() + " is not open"};
  auto txn = WriteTxn::begin(*env_);
  if (!txn) return txn.error();
  std::vector<std::string> keys;
  {
    auto cursor = txn->cursor(blocks_);
    for (bool there = cursor.seek(render_block_key(key)); there; there = cursor.next()) {
      keys.emplace_back(cursor.key());
    }
  }
  if (keys.empty()) return {};
  for (const auto& each : keys) {
    if (auto removed = txn->remove(blocks_, each); !removed) return removed.error();
  }
  const auto number = txn->number();
  auto committed = (*std::move(txn)).commit();
  if (!committed) note_failed_commit(number);
  note_size(static_cast<bool>(committed));
  return committed;
}

// The file may have grown: past what it was when more is in use than that, and by nobody knows how much when the commit failed.
void Segment::note_size(bool committed) {
  const auto use = env_->use();
  used_bytes_ = use.used_pages * use.page_bytes;
  if (committed && used_bytes_ <= file_bytes_) return;
  if (const auto bytes = size_of(path_); bytes > file_bytes_) file_bytes_ = bytes;
}

Result<void> Segment::open_for_writing() {
  const std::unique_lock lock(mutex_);
  forget_file();
  ++generation_;
  checked_ = false;
  mode_ = Mode::writing;
  if (auto settled = settle_file(); !settled) return settled;
  return open_file();
}

// What was never acknowledged may be in memory only; what is read must not be gone after a power cut.
Result<void> Segment::settle_file() {
  if (to_take_back_) {
    if (auto taken = take_back(path_, *to_take_back_); !taken) return taken;
    to_take_back_.reset();
  }
  const auto file = Descriptor::open(path_, O_RDWR);
  if (!file) return file.error();
  return file->sync();
}

void Segment::note_failed_commit(std::uint64_t transaction) {
  to_take_back_.reset();
  if (!env_->broken()) return;
  auto newest = read_newest_meta(path_);
  if (newest && newest->transaction == transaction) to_take_back_ = *std::move(newest);
}

void Segment::seal() {
  const std::unique_lock lock(mutex_);
  forget_file();
  mode_ = Mode::sealed;
  std::error_code ignored;
  std::filesystem::remove(lock_of(path_), ignored);
}

void Segment::replaced() {
  const std::unique_lock lock(mutex_);
  forget_file();
  checked_ = true;
  ++generation_;
  file_bytes_ = 0;
}

std::uint64_t Segment::file_bytes() const {
  std::uint64_t known = file_bytes_;
  if (known != 0) return known;
  const auto bytes = size_of(path_);
  // Who has looked at another file in its place meanwhile knows better.
  return file_bytes_.compare_exchange_strong(known, bytes) ? bytes : known;
}

void Segment::close(bool for_good) {
  const std::unique_lock lock(mutex_);
  forget_file();
  gone_ = gone_ || for_good;
}

bool Segment::try_close() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return false;
  forget_file();
  return true;
}

}  // namespace picket::buffer
