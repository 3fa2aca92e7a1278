// What an issue can be found by beyond its title: functions, modules and files of its in-app frames,
// the other exceptions of its chains, messages beside exceptions, the paths of its URLs.
//
// Kept once an issue (Table::issue_texts), as far as its events have differed, never once an event: a
// hash in the counters says that an event brings nothing new. A signature in the issue's row says which
// three-letter sequences the texts have, so that a search reads the texts of few issues.
//
// INVARIANT  An issue's texts take at most 2,560 bytes; what comes when they are full is left out.
// THREADS    Any.
#pragma once

#include "api/digest/event.h"
#include "buffer/schema/rows.pb.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

// The texts of one event, as one text; empty when there are none.
std::string render_event_texts(const Event& event);
std::uint64_t hash_of_texts(std::string_view event_texts);
// Adds what the issue does not have yet; whether there was anything.
bool learn_texts(schema::IssueTexts& texts, std::string_view event_texts);
// The same for the texts of another issue.
bool join_texts(schema::IssueTexts& texts, const schema::IssueTexts& more);

// Which three-letter sequences an issue's texts have: a bit for each in 16 to 256 bytes, the fewer the emptier,
// so that a signature seldom has a sequence by chance.
std::string signature_of(const schema::IssueTexts& texts);

// The three-letter sequences of what is looked for.
class TextSequences {
 public:
  // REQUIRES: `pieces` are lower case
  explicit TextSequences(std::span<const std::string> pieces);

  bool empty() const { return spread_.empty(); }  // all pieces are too short
  // False when the signature lacks one of them. What is no signature lacks all.
  bool may_be_in(std::string_view signature) const;

 private:
  std::vector<std::uint32_t> spread_;  // each as a number whose first bits are as good as drawn
};

}  // namespace picket::digest
