// Which part of some categories a destination gets, by trace: all of a trace or nothing of it.
//
// The number that a rate is held against comes from the trace's id, else from the event's: the same
// for every item, destination and Picket. So two rates take one within the other, and Pickets in a
// row that sample alike lose nothing more.
//
// THREADS  Immutable; from any thread.
#pragma once

#include "buffer/result.h"
#include "relay/protocol/data_category.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::upstream {

class Sampling {
 public:
  // Category → "0.25". Fault::malformed names the key.
  static Result<Sampling> make(const std::vector<std::pair<std::string, std::string>>& rates);

  bool empty() const { return rates_.empty(); }
  // 1 for a category without a rate of its own.
  double rate_of(relay::DataCategory category) const;

 private:
  std::map<relay::DataCategory, double> rates_;
};

// In [0, 1), evenly spread. Hyphens and letter case of hex digits do not matter.
double number_of_id(std::string_view id);

}  // namespace picket::upstream
