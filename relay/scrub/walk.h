// One pass over an item's JSON: every value that may be touched is shown to the rules, what they
// change becomes a list of edits, and what is said about the changes goes to `_meta`.
//
// THREADS  A walk belongs to one thread.
#pragma once

#include "relay/protocol/json_index.h"
#include "relay/protocol/json_object.h"
#include "relay/scrub/meta_tree.h"
#include "relay/scrub/rule.h"
#include "relay/scrub/schema.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::scrub {

// Bytes of a text and what stands for them; the remarks are about the replacement.
struct Edit {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string replacement;
  std::vector<Remark> remarks;
};

// The text with its edits. REQUIRES: they do not overlap.
std::string render_edits(std::string_view text, std::vector<Edit>& edits);

// A place with what the walk has to know about it.
struct Spot {
  Place place;                   // for rules of the advanced configuration
  const Place* plain = nullptr;  // for the others, where that is another one
  const Spot* parent = nullptr;
  std::string_view name;   // in the payload, escapes undone; not of array elements
  bool in_payload = true;  // false: only in selectors
  Signs key_signs = 0;
  bool is_pair = false;    // a key and its value, in a list of nothing else

  const Place& seen_by(const Application& application) const {
    return plain != nullptr && !application.advanced ? *plain : place;
  }
};

class Walk {
 public:
  // `spare`: an index for JSON within strings; nullptr: such strings are plain text.
  Walk(const RuleSet& rules, std::string_view text, const relay::JsonIndex& index, relay::JsonIndex* spare)
      : rules_(rules), text_(text), index_(index), spare_(spare) {}

  // An item, or one of several in a container: the value that begins at `token` and has its own
  // `_meta`. Returns the token behind it.
  std::size_t walk_root(std::size_t token, const Node& node);

  // The same for values that have no `_meta`, and get none: what is in them that their node does not
  // know may be touched.
  void walk_bare(std::size_t token, const Node& node);

  // A value below a place of another text; without `_meta`.
  void walk_inner(std::size_t token, const Spot& spot);

  std::vector<Edit>& edits() { return edits_; }

 private:
  std::size_t value(std::size_t token, Spot& spot, const Node& node);
  std::size_t any(std::size_t token, Spot& spot, Types types);
  template <class Visit>  // (token of the value, key) → the token behind the value
  std::size_t each_member(std::size_t token, Visit visit);
  std::size_t members(std::size_t token, const Spot& spot);
  std::size_t elements(std::size_t token, const Spot& spot, const Node& element, Pii pii);
  bool is_pair(std::size_t token, const Spot& spot) const;
  bool holds_pairs(std::size_t token, const Spot& spot) const;
  std::size_t pair(std::size_t token, const Spot& spot, const Place& parent);
  std::size_t record(std::size_t token, const Spot& spot, const Node& node);
  bool style_follows(std::size_t token) const;
  std::size_t values(std::size_t token, Spot& spot, const Node& node);
  std::size_t pairs(std::size_t token, const Spot& spot);
  std::size_t logentry(std::size_t token, Spot& spot, const Node& node);
  std::size_t contexts(std::size_t token, const Spot& spot);
  std::size_t attributes(std::size_t token, const Spot& spot);
  std::size_t attribute(std::size_t token, Spot& attribute);
  std::size_t header(std::size_t token, Spot& header);

  // Which applications are asked.
  enum class Asked : std::uint8_t { all, advanced };
  bool text(std::size_t token, const Spot& spot, Asked asked = Asked::all);  // whether it changed
  void path(std::size_t token, const Spot& spot);
  void url(std::size_t token, const Spot& spot);
  void body(std::size_t token, const Spot& spot);
  bool inner_json(std::size_t token, const Spot& spot, std::string_view json);
  void assignments(std::size_t token, const Spot& spot, char separator);
  bool removed(std::size_t token, const Spot& spot, Asked asked = Asked::all);

  Signs signs_of_key(std::string_view key, Pii pii) const;
  bool may_match(const Spot& spot, Signs signs) const;
  bool may_touch(const Spot& spot) const;
  Signs signs_of(std::string_view text, const Spot& spot) const;
  // `text`: nullptr for a value that is none. Removed: `removal` says by what.
  Effect apply(const Spot& spot, Signs signs, Redacted* text, Remark& removal, Asked asked) const;
  // One text below a spot that is only in selectors; nothing when it does not change.
  std::optional<Redacted> redact_part(std::string_view key,
                                      std::string_view text,
                                      const Spot& spot) const;
  bool scrub_assignments(std::string_view text,
                         const Spot& spot,
                         char separator,
                         const std::vector<Remark>& earlier,
                         std::string& out,
                         std::vector<Remark>& remarks) const;

  void replace(std::size_t token,
               const Spot& spot,
               const std::string& text,
               std::vector<Remark> remarks,
               std::string_view before);
  void remove(std::size_t begin, std::size_t end, const Spot& spot, const Remark& removal);
  std::vector<Remark> earlier_remarks(const Spot& spot);
  MetaTree& meta();
  void finish_meta(std::size_t root, std::size_t after);
  static MetaPath path_of(const Spot& spot);

  std::string_view decoded(std::size_t token, std::string& buffer) const {
    return unescaped(index_.content(token), buffer);
  }
  std::string_view unescaped(std::string_view content, std::string& buffer) const {
    if (!index_.may_have_escapes(content)) return content;
    buffer = relay::unescape_json(content);
    return buffer;
  }
  std::size_t find_member(std::size_t token, std::string_view name) const;
  bool is(std::size_t token, char c) const {
    return token < index_.size() && index_.first(token) == c;
  }

  const RuleSet& rules_;
  std::string_view text_;
  const relay::JsonIndex& index_;
  relay::JsonIndex* spare_;
  std::vector<Edit> edits_;
  std::optional<std::size_t> root_;  // the item that is walked: none in an inner walk
  std::optional<MetaTree> meta_;
};

}  // namespace picket::scrub
