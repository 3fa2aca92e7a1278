#include "relay/ingest/upload_store.h"

#include "buffer/logger.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/json_object.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace picket::ingest {
namespace {

constexpr std::size_t secret_bytes = 32;
constexpr std::size_t id_digits = 32;

// What a file's name says; nothing when it is none of ours.
struct Named {
  std::string id;
  UploadTerms terms;
};
std::optional<Named> parse_name(std::string_view name) {
  std::array<std::string_view, 4> parts;
  for (auto& part : parts) {
    const bool last = &part == &parts.back();
    const auto dot = last ? name.size() : name.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    part = name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  const auto project = relay::parse_project_id(parts[1]);
  auto key = relay::parse_project_key(parts[2]);
  const auto length = relay::parse_whole_number(parts[3]);
  const bool id = parts[0].size() == id_digits &&
                  std::ranges::all_of(parts[0], [](char c) { return relay::hex_digit(c).has_value(); });
  if (!id || !project || !key || !length) return std::nullopt;
  return Named{std::string(parts[0]), {*project, *std::move(key), *length}};
}

struct NamedClaim {
  std::string id;
  std::uint64_t sequence = 0;
};
std::optional<NamedClaim> parse_claim(std::string_view name) {
  const auto at = name.find('@');
  if (at != id_digits) return std::nullopt;
  const auto sequence = relay::parse_whole_number(name.substr(at + 1));
  if (!sequence) return std::nullopt;
  return NamedClaim{std::string(name.substr(0, at)), *sequence};
}

std::string random_secret() {
  std::string secret(secret_bytes, '\0');
  // So few bytes come whole or not at all, and not at all means a kernel without entropy.
  if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) std::abort();
  return secret;
}

Result<void> sync_bytes(const buffer::Descriptor& file) {
  if (::fdatasync(file.number()) != 0) return buffer::file_error("sync", "an upload");
  return {};
}

}  // namespace

std::uint64_t Upload::offset() const {
  const std::lock_guard lock(mutex_);
  return offset_;
}

Time Upload::touched() const {
  const std::lock_guard lock(mutex_);
  return touched_;
}

UploadOptions upload_options(const IngestConfig& config,
                             const std::filesystem::path& storage,
                             std::shared_ptr<buffer::Spool> spool) {
  return {.folder = storage / "uploads",
          .spool = std::move(spool),
          .max_bytes = config.max_uploads_bytes,
          .max_uploads = config.max_uploads,
          .max_age = config.upload_max_age};
}

UploadWriter::UploadWriter(std::shared_ptr<UploadStore> store,
                           std::shared_ptr<Upload> upload,
                           buffer::Descriptor file,
                           std::uint64_t offset,
                           std::uint64_t turn,
                           bool is_new)
    : store_(std::move(store)),
      upload_(std::move(upload)),
      file_(std::move(file)),
      turn_(turn),
      offset_(offset),
      is_new_(is_new) {}

UploadWriter::~UploadWriter() {
  if (is_new_) {
    store_->remove(*upload_);
    return;
  }
  const std::lock_guard lock(upload_->mutex_);
  if (upload_->turn_ == turn_ && upload_->room_) upload_->room_->shrink_to(upload_->offset_);
}

std::optional<http::BodySink::Stop> UploadWriter::take(std::string_view piece) {
  const std::lock_guard lock(upload_->mutex_);
  if (upload_->turn_ != turn_) return Stop{409, "another request goes on with this upload"};
  if (piece.size() > upload_->terms_.length - upload_->offset_) return Stop{413, "more than the upload's length"};
  if (!store_->take_room(*upload_, piece.size())) return Stop{503, "there is no room for the upload"};
  if (!file_.write_at(piece, upload_->offset_)) {
    store_->give_back(*upload_, piece.size());
    return Stop{503, "the upload could not be stored"};
  }
  upload_->offset_ += piece.size();
  upload_->touched_ = store_->now();
  offset_ = upload_->offset_;
  return std::nullopt;
}

Result<void> UploadWriter::keep() {
  if (auto synced = sync_bytes(file_); !synced) return synced;
  if (is_new_) {
    if (auto synced = buffer::sync_folder(store_->options_.folder); !synced) return synced;
  }
  is_new_ = false;
  return {};
}

Result<std::shared_ptr<UploadStore>> UploadStore::open(UploadOptions options, const Clock& clock) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (!error) std::filesystem::permissions(options.folder, std::filesystem::perms::owner_all, error);
  if (error) return Error{Fault::unavailable, "uploads " + options.folder.string() + ": " + error.message()};
  std::shared_ptr<UploadStore> store(new UploadStore(std::move(options), clock));
  if (auto loaded = store->load_secret(); !loaded) return loaded.error();
  if (auto loaded = store->load_uploads(); !loaded) return loaded.error();
  return store;
}

// Lives where the uploads do: whoever has lost the one has lost the others.
Result<void> UploadStore::load_secret() {
  const auto path = options_.folder / "secret";
  const auto found = buffer::Descriptor::open(path, O_RDONLY);
  if (found) {
    const auto size = found->size();
    auto read = size && *size == secret_bytes ? found->read_at(0, secret_bytes) : Result<std::string>(Error{});
    if (read) {
      secret_ = *std::move(read);
      return {};
    }
  } else if (found.error().fault != Fault::not_found) {
    return found.error();
  }
  secret_ = random_secret();
  const auto fresh = options_.folder / "secret.new";
  const auto made = buffer::Descriptor::open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!made) return made.error();
  if (auto written = made->write_at(secret_, 0); !written) return written;
  if (auto synced = made->sync(); !synced) return synced;
  return buffer::rename_durably(fresh, path);
}

Result<void> UploadStore::load_uploads() {
  std::error_code error;
  std::vector<NamedClaim> claims;
  for (std::filesystem::directory_iterator at(options_.folder, error), end; !error && at != end; at.increment(error)) {
    if (auto claim = parse_claim(at->path().filename().string())) {
      claims.push_back(*std::move(claim));
    } else {
      adopt(*at);
    }
  }
  if (error) return Error{Fault::unavailable, "uploads " + options_.folder.string() + ": " + error.message()};
  for (const auto& claim : claims) adopt_claim(claim.id, claim.sequence);
  return {};
}

// One without its upload is what a kill left between the two ends.
void UploadStore::adopt_claim(std::string_view id, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end() || found->second->claims_ > 0) {
    ::unlink(claim_path(id, sequence).c_str());
    return;
  }
  found->second->claims_ = 1;
  found->second->claimed_from_ = sequence;
}

// A file's size never runs ahead of its bytes, neither after a kill nor, on the file systems that
// order the two (ext4, XFS and btrfs as they come), after a power cut.
void UploadStore::adopt(const std::filesystem::directory_entry& entry) {
  const auto name = entry.path().filename().string();
  auto named = parse_name(name);
  struct stat status {};
  if (!named || ::stat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > named->terms.length) {
    log(Level::warning, "ingest", "an upload is longer than announced, and removed", {{"file", name}});
    ::unlink(entry.path().c_str());
    return;
  }
  auto upload = std::make_shared<Upload>(named->id, std::move(named->terms), make_room());
  upload->offset_ = size;
  upload->touched_ = time_from_ms(std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000);
  // Without room for what is there already there is none for more, until some is free again.
  if (upload->room_ && upload->room_->grow_to(size)) upload->room_->shrink_to(size);
  used_ += size;
  const std::lock_guard lock(mutex_);
  insert(upload);
  upload->share_->bytes += size;
}

void UploadStore::insert(std::shared_ptr<Upload> upload) {
  auto& share = shares_[upload->terms().key.hex];
  if (!share) share = std::make_shared<UploadShare>();
  ++share->uploads;
  upload->share_ = share;
  uploads_.emplace(upload->id(), std::move(upload));
}

std::optional<buffer::SpoolRoom> UploadStore::make_room() const {
  if (!options_.spool) return std::nullopt;
  return std::optional<buffer::SpoolRoom>(std::in_place, options_.spool, buffer::Spool::Purpose::intake);
}

bool UploadStore::leaves_room(std::uint64_t used, std::uint64_t of_key) const {
  return used <= options_.max_bytes && of_key <= options_.max_bytes - used;
}

bool UploadStore::take_room(Upload& upload, std::uint64_t bytes) {
  const auto used = used_.fetch_add(bytes) + bytes;
  const auto of_key = upload.share_->bytes.fetch_add(bytes) + bytes;
  if (leaves_room(used, of_key) && (!upload.room_ || upload.room_->grow_to(upload.offset_ + bytes))) return true;
  give_back(upload, bytes);
  return false;
}

void UploadStore::give_back(Upload& upload, std::uint64_t bytes) {
  used_ -= bytes;
  upload.share_->bytes -= bytes;
}

std::filesystem::path UploadStore::path_of(const Upload& upload) const {
  const auto& terms = upload.terms();
  return options_.folder / (upload.id() + "." + std::to_string(terms.project) + "." + terms.key.hex + "." +
                            std::to_string(terms.length));
}

std::filesystem::path UploadStore::claim_path(std::string_view id, std::uint64_t sequence) const {
  return options_.folder / (std::string(id) + "@" + std::to_string(sequence));
}

Result<std::shared_ptr<UploadWriter>> UploadStore::create(const UploadTerms& terms) {
  auto upload = std::make_shared<Upload>(relay::render_event_id(relay::random_event_id()), terms, make_room());
  upload->touched_ = now();
  {
    const std::lock_guard lock(mutex_);
    const auto known = shares_.find(terms.key.hex);
    const auto bytes = known == shares_.end() ? 0 : known->second->bytes.load();
    const auto uploads = known == shares_.end() ? 0 : known->second->uploads;
    // Of bytes only a promise for now: others may take the room first, and this one then waits for them.
    if (!leaves_room(used_ + terms.length, bytes + terms.length))
      return Error{Fault::unavailable, "the room for uploads, or this key's part of it, is used up"};
    const auto left = options_.max_uploads - std::min<std::uint64_t>(options_.max_uploads, uploads_.size());
    // The last place is for a key that has none.
    if (left == 0 || (uploads > 0 && uploads + 1 > left - 1))
      return Error{Fault::unavailable, "too many uploads, in all or of this key, are under way"};
    insert(upload);
  }
  auto file = buffer::Descriptor::open(path_of(*upload), O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!file) {
    remove(*upload);
    return file.error();
  }
  return std::make_shared<UploadWriter>(shared_from_this(), upload, *std::move(file), 0, 0, true);
}

std::shared_ptr<Upload> UploadStore::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  return found == uploads_.end() ? nullptr : found->second;
}

Result<std::shared_ptr<UploadWriter>> UploadStore::write(const std::shared_ptr<Upload>& upload, std::uint64_t offset) {
  auto file = buffer::Descriptor::open(path_of(*upload), O_RDWR);
  if (!file) return file.error();
  const std::lock_guard lock(upload->mutex_);
  if (upload->offset_ != offset) return std::shared_ptr<UploadWriter>();
  const auto turn = ++upload->turn_;
  return std::make_shared<UploadWriter>(shared_from_this(), upload, *std::move(file), offset, turn, false);
}

Result<std::uint64_t> UploadStore::settle(Upload& upload) {
  std::uint64_t offset = 0;
  {
    const std::lock_guard lock(upload.mutex_);
    ++upload.turn_;
    offset = upload.offset_;
    if (upload.room_) upload.room_->shrink_to(offset);
  }
  const auto file = buffer::Descriptor::open(path_of(upload), O_RDWR);
  if (!file) return file.error();
  if (auto synced = sync_bytes(*file); !synced) return synced.error();
  return offset;
}

Result<buffer::Bytes> UploadStore::read(const Upload& upload) const {
  const auto file = buffer::Descriptor::open(path_of(upload), O_RDONLY);
  if (!file) return file.error();
  // A file that somebody cut short must not be mapped past its end.
  const auto size = file->size();
  if (!size || *size != upload.terms().length) return Error{Fault::corrupt, "an upload's file was changed"};
  return buffer::map_file(*file, *size);
}

void UploadStore::remove(const Upload& upload) {
  std::shared_ptr<Upload> gone;
  {
    const std::lock_guard lock(mutex_);
    const auto found = uploads_.find(upload.id());
    if (found == uploads_.end()) return;
    gone = std::move(found->second);
    uploads_.erase(found);
    if (--gone->share_->uploads == 0) shares_.erase(gone->terms().key.hex);
  }
  ::unlink(path_of(*gone).c_str());
  if (gone->claims_ > 0) ::unlink(claim_path(gone->id(), gone->claimed_from_).c_str());
  const std::lock_guard lock(gone->mutex_);
  ++gone->turn_;
  give_back(*gone, gone->offset_);
  gone->room_.reset();
}

Result<void> UploadStore::claim(const std::vector<std::string>& ids, std::uint64_t sequence) {
  std::vector<std::string> claimed;
  Result<void> made;
  for (const auto& id : ids) {
    const std::lock_guard lock(mutex_);
    const auto found = uploads_.find(id);
    if (found == uploads_.end()) continue;  // gone meanwhile: nothing is left that could be counted again
    claimed.push_back(id);
    if (found->second->claims_++ > 0) continue;  // from an earlier record on
    found->second->claimed_from_ = sequence;
    const auto file = buffer::Descriptor::open(claim_path(id, sequence), O_WRONLY | O_CREAT, 0600);
    if (!file) made = file.error();
    if (!made) break;
  }
  if (made) made = buffer::sync_folder(options_.folder);
  if (!made) disclaim(claimed);
  return made;
}

void UploadStore::disclaim(const std::vector<std::string>& ids) {
  const std::lock_guard lock(mutex_);
  for (const auto& id : ids) {
    const auto found = uploads_.find(id);
    if (found == uploads_.end() || found->second->claims_ == 0 || --found->second->claims_ > 0) continue;
    ::unlink(claim_path(id, found->second->claimed_from_).c_str());
  }
}

std::vector<std::pair<std::string, std::uint64_t>> UploadStore::claims() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::uint64_t>> claims;
  for (const auto& [id, upload] : uploads_) {
    if (upload->claims_ > 0) claims.emplace_back(id, upload->claimed_from_);
  }
  return claims;
}

void UploadStore::use_up(std::vector<std::string> ids) {
  const std::lock_guard lock(mutex_);
  used_up_.insert(used_up_.end(), std::make_move_iterator(ids.begin()), std::make_move_iterator(ids.end()));
}

std::vector<UploadTerms> UploadStore::tidy() {
  std::vector<std::shared_ptr<Upload>> used;
  std::vector<std::shared_ptr<Upload>> expired;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& id : std::exchange(used_up_, {})) {
      if (const auto found = uploads_.find(id); found != uploads_.end()) used.push_back(found->second);
    }
    for (const auto& [id, upload] : uploads_) {
      if (expires(*upload) <= now()) expired.push_back(upload);
    }
  }
  for (const auto& upload : used) remove(*upload);
  std::vector<UploadTerms> terms;
  for (const auto& upload : expired) {
    if (!find(upload->id())) continue;  // used up a line ago
    remove(*upload);
    terms.push_back(upload->terms());
  }
  // What is counted from now on must not be found again after a power cut.
  if (!used.empty() || !terms.empty()) {
    if (const auto synced = buffer::sync_folder(options_.folder); !synced)
      log(Level::warning, "ingest", "the folder of uploads could not be synced", {{"reason", synced.error().detail}});
  }
  return terms;
}

std::size_t UploadStore::size() const {
  const std::lock_guard lock(mutex_);
  return uploads_.size();
}

}  // namespace picket::ingest
