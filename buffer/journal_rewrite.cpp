// Of the journal on files: a segment exchanged for a smaller one with the same records.
#include "buffer/journal_files.h"
#include "buffer/logger.h"

#include <algorithm>

namespace picket::buffer {
namespace {

Recompressed passed_over(Recompressed done, Recompressed::What what, const Error& why = {}) {
  done.what = what;
  done.reason = why.detail;
  return done;
}

// For good when it is the segment's own fault.
Recompressed given_up(Recompressed done, const Error& why) {
  const bool its_own = why.fault == Fault::corrupt || why.fault == Fault::too_large;
  return passed_over(std::move(done), its_own ? Recompressed::What::left_alone : Recompressed::What::no_room, why);
}

}  // namespace

// Something behind it is durable: unless that is lost it is never written again (discard()), so that a copy stays one.
std::optional<JournalFiles::Original> JournalFiles::find_settled(Sequence from) const {
  const auto place = find({from, 0});
  if (!place || place->limit.first >= durable_next_) return std::nullopt;
  const auto generation = place->segment->generation();
  // While the same is behind it, nobody has opened it for writing; who does from here on changes the generation.
  const auto again = find({from, 0});
  if (!again || again->segment != place->segment || again->limit != place->limit) return std::nullopt;
  return Original{*place, generation};
}

Result<Recompressed> JournalFiles::recompress(Sequence from, const Recompressing& how) {
  using What = Recompressed::What;
  const Error no_room{Fault::unavailable, "no room for a smaller copy"};
  Recompressed done;
  if (options_.read_only) return Error{Fault::unavailable, "the journal is open for reading only"};
  rewrite_room_ = 0;
  close_surplus();  // of those that earlier calls looked at
  const auto original = find_settled(from);
  if (!original) return done;
  const auto& place = original->place;
  auto& segment = *place.segment;
  done.next = place.limit.first + (place.limit.part > 0 ? 1 : 0);
  done.file = segment.path().filename().string();
  const auto summary = segment.summary();
  if (!summary) return given_up(done, summary.error());
  if (*summary) return passed_over(done, What::already);
  const auto use = describe(place);
  if (!use) return passed_over(done, What::no_room, {Fault::unavailable, "it cannot be read just now"});
  if (const auto verdict = how.may(*use); verdict != What::done) return passed_over(done, verdict);
  // What it comes to is not known before; half is what it comes to as a rule.
  const auto most = most_recompressed_bytes(use->used_bytes);
  const auto wanted = outgrew_ == segment.name() ? most : use->used_bytes / 2;
  if (!folder_->room_to_hold(wanted)) {
    rewrite_room_ = wanted;
    return passed_over(done, What::no_room, no_room);
  }

  const auto file = folder_->make_temporary_name();
  HeldRoom held(*folder_);
  const auto smaller = recompress_segment(segment, place.limit, file,
                                          {.open_body = how.open_body,
                                           .go_on = [&] { return !held.is_in_the_way() && how.go_on(); },
                                           .room = [&](std::uint64_t bytes) { return held.more(bytes); },
                                           .now = clock_.now()});
  if (!smaller) folder_->discard(file, false);
  if (!smaller && held.refused()) {
    outgrew_ = segment.name();
    rewrite_room_ = most;
    return passed_over(done, What::no_room, no_room);
  }
  if (!smaller) return given_up(done, smaller.error());
  const auto prepared = how.before_replacing ? how.before_replacing() : Result<void>();
  if (!prepared) {
    folder_->discard(file, false);
    return passed_over(done, What::no_room, prepared.error());
  }
  if (auto exchanged = exchange(*original, file, held); !exchanged) return passed_over(done, What::no_room, exchanged.error());
  done.what = What::done;
  done.records = smaller->records;
  done.bytes_before = smaller->bytes_before;
  done.bytes_after = smaller->file_bytes;
  ++recompressed_segments_;
  recompressed_before_bytes_ += smaller->bytes_before;
  recompressed_after_bytes_ += smaller->file_bytes;
  return done;
}

// By class in as much as somebody picks: what is worth least goes before segments go whole.
Result<std::optional<Sequence>> JournalFiles::drop_bodies(Sequence from, const PickRecord& goes) {
  const Error no_room{Fault::unavailable, "no room for a smaller copy"};
  const auto original = find_settled(from);
  if (!original) return std::optional<Sequence>();
  const auto& place = original->place;
  auto& segment = *place.segment;
  // A record that goes on in the next segment is behind us as well.
  const std::optional<Sequence> next = place.limit.first + (place.limit.part > 0 ? 1 : 0);
  if (!folder_->room_to_hold(segment.used_bytes())) return no_room;
  const auto file = folder_->make_temporary_name();
  HeldRoom held(*folder_);
  const auto rewritten = rewrite_without(segment, place.limit, file, goes, [&](std::uint64_t bytes) { return held.more(bytes); });
  if (!rewritten || rewritten->dropped == 0) {
    folder_->discard(file, false);
    return rewritten || rewritten.error().fault == Fault::corrupt ? Result<std::optional<Sequence>>(next) : rewritten.error();
  }
  if (auto exchanged = exchange(*original, file, held); !exchanged) return exchanged.error();
  log(Level::warning, "buffer", "bodies were dropped for want of room",
      {{"file", segment.path().string()}, {"records", rewritten->dropped}, {"file_bytes", rewritten->file_bytes}});
  return next;
}

// Puts a file in the place of a segment that is still there and still what the file was made of; else removes it.
Result<void> JournalFiles::exchange(const Original& original, const std::filesystem::path& file, HeldRoom& held) {
  const std::lock_guard exchanging(exchange_mutex_);
  const auto& segment = original.place.segment;
  bool there = false;
  {
    const std::lock_guard lock(segments_mutex_);
    there = std::find(segments_.begin(), segments_.end(), segment) != segments_.end() && segments_.back() != segment;
  }
  if (!there || segment->generation() != original.generation) {
    folder_->discard(file, false);
    return Error{Fault::unavailable, "the segment went or changed meanwhile"};
  }
  auto replaced = folder_->replace(segment->name(), file, held.hand_over());
  // It may be in its place though that is not known to last: what is there now is looked at either way.
  segment->replaced();
  if (const auto use = inspect_file(segment->path())) segment->set_use(*use);
  return replaced;
}

}  // namespace picket::buffer
