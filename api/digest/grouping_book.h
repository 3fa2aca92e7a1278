// The grouping rules of projects, compiled, as their settings have them.
//
// THREADS  The digest's own.
#pragma once

#include "api/grouping/grouping.h"
#include "buffer/tables.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace picket::digest {

// Of a project's settings; the default rules where there are none or they cannot be read any more.
grouping::Config grouping_config(std::string_view options_json);

class GroupingBook {
 public:
  explicit GroupingBook(buffer::Tables& tables) : tables_(tables) {}

  // Settings may have changed: each project is looked up once more.
  void look_again() { ++round_; }
  const grouping::Config& of(std::uint64_t project);

 private:
  struct Entry {
    std::uint64_t round = 0;
    std::string options_json;
    grouping::Config config;
  };

  buffer::Tables& tables_;
  std::uint64_t round_ = 1;
  std::unordered_map<std::uint64_t, Entry> entries_;
};

}  // namespace picket::digest
