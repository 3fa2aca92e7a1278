// Makes up error events as an SDK of a web shop would send them: an exception with frames, source
// lines and variables, breadcrumbs, request, contexts, tags. Seeded: the same events every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace picket::load {

// How large the parts are that grow with an event.
struct EventShape {
  unsigned frames = 12;
  unsigned variables = 3;  // of each in-app frame
  unsigned breadcrumbs = 10;
};

class EventMaker {
 public:
  explicit EventMaker(std::uint64_t seed) : random_(seed) {}

  // An event's JSON from just after its exception's type on, up to and with its last brace:
  //   … "exception":{"values":[{"type":"…" │ ,"value":…}]},…}
  // Frames depend on the family alone, so that events of a family with the same type are one issue;
  // everything else varies.
  std::string make_tail(std::uint64_t family, const EventShape& shape);

 private:
  std::string frame(std::mt19937_64& random, bool in_app, const EventShape& shape);
  std::string breadcrumb();
  std::string hex(std::size_t digits);
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::mt19937_64 random_;
};

}  // namespace picket::load
