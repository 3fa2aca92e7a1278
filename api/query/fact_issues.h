// The issues that facts belong to, by the number that was written with them: where merges led, their short ids, and
// what is asked of their frames. Each is read once.
//
// THREADS  Belongs to one question and its thread.
#pragma once

#include "buffer/tables.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace picket::query {

// Of the frames of an issue as its texts have them (lines of lower case), "" of none.
using FrameTest = std::function<bool(std::string_view frames)>;

class FactIssues {
 public:
  explicit FactIssues(const buffer::Reader& reader) : reader_(reader) {}
  struct Name {
    std::uint64_t id = 0;  // 0: gone
    std::string short_id;
  };
  const Name& find(std::uint64_t issue);
  // What a test says of the issue's frames, remembered. REQUIRES: the test stays where it is.
  bool frames_pass(std::uint64_t issue, const FrameTest& test);

 private:
  const buffer::Reader& reader_;
  std::unordered_map<std::uint64_t, Name> known_;
  std::map<const FrameTest*, std::unordered_map<std::uint64_t, bool>> frames_;
};

}  // namespace picket::query
