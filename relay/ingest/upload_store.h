// Resumable uploads on the disk: each a file that grows, named by what is known of it, so that it is
// found again whatever ended the process.
//
//   {folder}/secret                                    what locations are signed with
//   {folder}/{id}.{project}.{public key}.{length}      what has come of one; its size is the offset
//   {folder}/{id}@{sequence}                           a claim: a record from that sequence on may hold it
//
// A claim is made before the record is offered and goes after the upload, so that after a kill in
// between the journal says which uploads are part of a record: they are not counted again.
//
// INVARIANT  Bytes below an upload's offset never change; only the request whose turn it is adds some.
// INVARIANT  All together are no more than `max_uploads` and `max_bytes`, and have their room from the
//            spool: its bound and the disk's reserve hold for both.
// INVARIANT  No key is given more than is then left for others: one alone gets half, and each next one
//            finds half of what is left, however greedy those before it were.
// THREADS    All members from any thread. No lock is held across a sync.
#pragma once

#include "buffer/bytes.h"
#include "buffer/clock.h"
#include "buffer/descriptor.h"
#include "buffer/result.h"
#include "buffer/spool.h"
#include "relay/http/message.h"
#include "relay/ingest/config.h"
#include "relay/protocol/dsn.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::ingest {

struct UploadTerms {
  relay::ProjectId project = 0;
  relay::ProjectKey key;  // under which it was begun
  std::uint64_t length = 0;
};

// What the uploads of one key have of the store's room.
struct UploadShare {
  std::atomic<std::uint64_t> bytes{0};
  std::uint64_t uploads = 0;  // guarded by the store's mutex
};

class Upload {
 public:
  Upload(std::string id, UploadTerms terms, std::optional<buffer::SpoolRoom> room)
      : id_(std::move(id)), terms_(std::move(terms)), room_(std::move(room)) {}

  const std::string& id() const { return id_; }
  const UploadTerms& terms() const { return terms_; }
  std::uint64_t offset() const;
  bool complete() const { return offset() == terms_.length; }
  Time touched() const;  // when its last byte came

 private:
  friend class UploadStore;
  friend class UploadWriter;
  const std::string id_;
  const UploadTerms terms_;
  std::shared_ptr<UploadShare> share_;  // since the store knows the upload
  std::uint64_t claims_ = 0;        // records on their way; guarded by the store's mutex
  std::uint64_t claimed_from_ = 0;  // likewise
  mutable std::mutex mutex_;
  std::uint64_t offset_ = 0;  // guarded by mutex_, as the rest
  std::uint64_t turn_ = 0;
  Time touched_{};
  std::optional<buffer::SpoolRoom> room_;
};

class UploadStore;

// One request's turn at an upload. Ends without a word when another one's begins.
class UploadWriter final : public http::BodySink {
 public:
  UploadWriter(std::shared_ptr<UploadStore> store, std::shared_ptr<Upload> upload, buffer::Descriptor file,
               std::uint64_t offset, std::uint64_t turn, bool is_new);
  // An upload that is new and was not kept goes: nobody has been told where it is.
  ~UploadWriter() override;

  std::optional<Stop> take(std::string_view piece) override;
  // What was taken is on the disk when this returns, and so is the upload's name.
  Result<void> keep();

  const Upload& upload() const { return *upload_; }
  std::uint64_t offset() const { return offset_; }  // behind the last byte taken

 private:
  const std::shared_ptr<UploadStore> store_;
  const std::shared_ptr<Upload> upload_;
  const buffer::Descriptor file_;
  const std::uint64_t turn_;
  std::uint64_t offset_;
  bool is_new_;
};

struct UploadOptions {
  std::filesystem::path folder;
  std::shared_ptr<buffer::Spool> spool;  // none: room is only what max_bytes says
  std::uint64_t max_bytes = std::uint64_t{2} << 30;
  std::uint64_t max_uploads = 1000;
  Duration max_age = std::chrono::hours(24);  // since the last byte
};

// In the folder "uploads" of the storage.
UploadOptions upload_options(const IngestConfig& config, const std::filesystem::path& storage,
                             std::shared_ptr<buffer::Spool> spool);

class UploadStore : public std::enable_shared_from_this<UploadStore> {
 public:
  // Makes the folder, and finds what is in it. REQUIRES: the clock outlives the store.
  static Result<std::shared_ptr<UploadStore>> open(UploadOptions options, const Clock& clock);

  // A new upload and the first turn at it. Fault::unavailable when there are too many, or no room
  // for one of that length, in all or for its key.
  Result<std::shared_ptr<UploadWriter>> create(const UploadTerms& terms);
  // Nothing when there is none (any more).
  std::shared_ptr<Upload> find(std::string_view id) const;

  // The next turn at an upload, which ends the one before. None when `offset` is not where it stands.
  Result<std::shared_ptr<UploadWriter>> write(const std::shared_ptr<Upload>& upload, std::uint64_t offset);
  // Ends the turn of whoever writes, and gives the offset up to which all is on the disk.
  Result<std::uint64_t> settle(Upload& upload);
  // REQUIRES: it is complete. The bytes stay when the upload goes.
  Result<buffer::Bytes> read(const Upload& upload) const;

  void remove(const Upload& upload);
  // Until disclaim() or its end, a record from `sequence` on may hold it. Durable when it returns.
  Result<void> claim(const std::vector<std::string>& ids, std::uint64_t sequence);
  void disclaim(const std::vector<std::string>& ids);
  // The claims that were found at the start, which somebody must settle: id and sequence.
  std::vector<std::pair<std::string, std::uint64_t>> claims() const;
  // It has become part of a record: tidy() removes it. Cheap enough for the committer.
  void use_up(std::vector<std::string> ids);
  // Removes what is used up, and what has had no byte for `max_age`, which is returned.
  std::vector<UploadTerms> tidy();

  std::string_view secret() const { return secret_; }
  Time expires(const Upload& upload) const { return upload.touched() + options_.max_age; }
  std::size_t size() const;
  std::uint64_t used_bytes() const { return used_; }
  Time now() const { return clock_.now(); }

 private:
  friend class UploadWriter;
  UploadStore(UploadOptions options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}
  Result<void> load_secret();
  Result<void> load_uploads();
  void adopt(const std::filesystem::directory_entry& entry);
  void adopt_claim(std::string_view id, std::uint64_t sequence);
  std::filesystem::path path_of(const Upload& upload) const;
  std::filesystem::path claim_path(std::string_view id, std::uint64_t sequence) const;
  std::optional<buffer::SpoolRoom> make_room() const;
  bool take_room(Upload& upload, std::uint64_t bytes);  // with its mutex held
  void give_back(Upload& upload, std::uint64_t bytes);
  bool leaves_room(std::uint64_t used, std::uint64_t of_key) const;  // both with what is asked for
  void insert(std::shared_ptr<Upload> upload);  // with mutex_ held

  const UploadOptions options_;
  const Clock& clock_;
  std::string secret_;
  std::atomic<std::uint64_t> used_{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Upload>, std::less<>> uploads_;  // guarded by mutex_
  std::map<std::string, std::shared_ptr<UploadShare>> shares_;  // by key; guarded by mutex_
  std::vector<std::string> used_up_;                                      // guarded by mutex_
};

}  // namespace picket::ingest
