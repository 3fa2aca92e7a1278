// What an upstream has acknowledged and the tables do not say yet, for the process that comes after a
// kill: one file for each destination, written at once and never synced. What a process wrote outlives
// it; after a power cut the file says nothing, and what was delivered in the last moments goes again.
//
// A note is the record's sequence and a check over the record, the destination's life and the machine's
// boot: one that has lost its meaning (another boot, a destination that starts anew, a number that was
// given out twice) is no record's. So a note can be late, torn or left over, and is never wrong.
//
//   file   notes of 16 bytes: sequence, check, as this machine writes numbers. 32,768 places of what the
//          process before left, then two halves of 16,384: one of what is being written into the
//          tables, the other of what has come since, with what the tables will still not say. Sequence 0
//          ends a part.
//
// INVARIANT  A note is there until the tables have been written with a cursor behind its record.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/descriptor.h"
#include "buffer/journal.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace picket::upstream {

class DeliveryNotes {
 public:
  static constexpr std::size_t places_per_half = 16'384;  // twice the widest window

  // An empty path: nothing is noted.
  explicit DeliveryNotes(std::filesystem::path file);

  // Whether a sequence is still to be met; of all else the tables know.
  using Waits = std::function<bool(buffer::Sequence)>;
  // Reads what the process before noted of what waits, and gives the number. `life` is the
  // destination's: its name and how often it has started anew.
  std::size_t load(std::string_view life, const Waits& waits);

  // `resend`: the number of the resend that the record is sent for, 0 for none.
  std::uint64_t check_of(const buffer::StoredRecord& record, std::uint64_t resend) const;
  // Whether the process before noted it; true once.
  bool take(buffer::Sequence sequence, std::uint64_t check);

  void add(buffer::Sequence sequence, std::uint64_t check);
  // Puts what was added into the file; one that cannot be written costs the notes, and a line in the log.
  void flush();
  // The tables are being written: of what was added they will say all before `cursor`. What was handed to
  // them at the last turn is there.
  void turn(buffer::Sequence cursor, const Waits& waits);

 private:
  struct Note {
    std::uint64_t sequence = 0;
    std::uint64_t check = 0;
  };
  static_assert(sizeof(Note) == 16);

  bool open();
  void read_part(std::size_t first, std::size_t places, const Waits& waits);
  void write(std::size_t place, std::vector<Note> notes);
  void complain(const Error& error);

  const std::filesystem::path file_;
  buffer::Descriptor open_file_;
  std::uint32_t seed_ = 0;  // of the checks: boot and life
  std::unordered_map<std::uint64_t, std::uint64_t> left_;  // of the process before: sequence and check
  std::vector<Note> added_;   // not in the file yet
  std::vector<Note> unsaid_;  // added, and not before the cursor that the tables have
  std::size_t half_ = 0;
  std::size_t used_ = 0;  // of this half
  bool complained_ = false;
};

}  // namespace picket::upstream
