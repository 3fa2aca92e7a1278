// What of an envelope goes to one destination: nothing, all of it, or the items that are wanted.
//
// INVARIANT  What belongs to an event goes with it or not at all; only exclude_categories takes from it.
// INVARIANT  Nothing is decompressed or parsed where project and categories decide, no payload is
//            read where the envelope header names the trace.
// THREADS    Immutable; from any thread.
#pragma once

#include "buffer/result.h"
#include "upstream/config.h"
#include "upstream/parcel.h"
#include "upstream/routing.h"
#include "upstream/sampling.h"
#include "upstream/window.h"

#include <cstdint>
#include <vector>

namespace picket::upstream {

class Selector {
 public:
  // Fault::malformed names the key of the section and what is wrong with it.
  static Result<Selector> make(const DestinationConfig& config);

  bool takes_all() const { return routing_.takes_all() && sampling_.empty(); }

  // Moves what is not to go from the label's counts to its left_out, and says in the parcel which
  // items are kept. Fault::malformed when it had to look inside and cannot, Fault::unavailable when
  // there is no room for that just now.
  Result<void> select(Parcel& parcel) const;
  // The same for a parcel whose bytes are gone: only project and categories can keep it from going.
  void select_unseen(Parcel& parcel) const;
  static void leave_all_out(Parcel& parcel, Fate fate);

 private:
  // By what is known without looking inside; nothing when that does not decide.
  enum class Quick : std::uint8_t { all, none, unsure };
  Quick judge_quickly(const Label& label) const;
  // The fate of an item that decides for itself, 0 when it goes.
  std::uint8_t judge_item(const relay::Envelope& envelope, const relay::Item& item, const Parcel& parcel) const;
  // For each item its fate.
  std::vector<std::uint8_t> judge_items(const relay::Envelope& envelope, const Parcel& parcel) const;

  bool samples(const Label& label) const;

  Routing routing_;
  Sampling sampling_;
};

}  // namespace picket::upstream
