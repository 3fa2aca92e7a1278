// Keeps the tables' file from growing while what is in it does not.
//
// LMDB reads its list of free pages in parts, the oldest first, takes the lowest page that fits from what it has read, and
// reads on only when nothing fits. So it works its way through the whole file: single pages break up the stretches that values of
// many pages need, while lower pages wait in parts that it has not come to. Here a value of many pages is given up now and then
// and written again two transactions later, as soon as its place may be used again. That stands in the last part of the list, so all
// parts are read to find it; the lowest pages are taken from then on, and long stretches last.
//
// Of 65 MiB in use under the soak's load, in a model of LMDB's list, 95 MiB after an hour and growing become 73.
//
// THREADS  turn() within a write transaction; all else from any thread.
#pragma once

#include "buffer/env.h"

#include <atomic>
#include <cstdint>

namespace picket::buffer {

class PageOrder {
 public:
  // Whether this transaction, which has changed nothing yet, is to call turn(). It costs a sixteenth of what is written.
  bool due(std::uint64_t transaction) const;
  // Gives the value up, or writes it again. It is of the table `meta`.
  Result<void> turn(WriteTxn& txn, TableHandle meta);
  void note_commit(const Env& env, std::uint64_t transaction);

 private:
  std::atomic<std::uint64_t> given_up_{0};    // pages, since the value was
  std::atomic<std::uint64_t> list_pages_{0};  // of free pages, as of the last commit
  std::atomic<std::uint64_t> place_free_in_{0};  // the transaction that may use the value's place; 0: it is there
};

}  // namespace picket::buffer
