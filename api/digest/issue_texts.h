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

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace picket::digest {

// The texts of one event, as one text; empty when there are none.
std::string render_event_texts(const Event& event);
std::uint64_t hash_of_texts(std::string_view event_texts);
// Adds what the issue does not have yet; whether there was anything.
bool learn_texts(schema::IssueTexts& texts, std::string_view event_texts);
// The same for the texts of another issue.
bool join_texts(schema::IssueTexts& texts, const schema::IssueTexts& more);

class TextSignature {
 public:
  static constexpr std::size_t bytes = 64;
  TextSignature() = default;
  // Of a row; what is no signature has nothing.
  explicit TextSignature(std::string_view stored);

  // REQUIRES: lower case
  void add(std::string_view text);
  // False when `other` has a sequence that this has not.
  bool may_hold(const TextSignature& other) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if ((other.words_[i] & ~words_[i]) != 0) return false;
    }
    return true;
  }
  bool empty() const { return words_ == std::array<std::uint64_t, bytes / 8>{}; }
  std::string render() const;

 private:
  std::array<std::uint64_t, bytes / 8> words_{};
};
TextSignature signature_of(const schema::IssueTexts& texts);

}  // namespace picket::digest
