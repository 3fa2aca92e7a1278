#include "upstream/window.h"

#include <algorithm>
#include <cstdlib>

namespace picket::upstream {

void Window::settle(buffer::Sequence sequence, Settled settled) {
  const auto entry = std::lower_bound(entries_.begin(), entries_.end(), sequence,
                                      [](const Entry& e, buffer::Sequence s) { return e.first < s; });
  if (entry == entries_.end() || entry->first != sequence || entry->settled) std::abort();
  if (settled.fate == Fate::deferred) ++deferred_;
  entry->settled = std::move(settled);
}

}  // namespace picket::upstream
