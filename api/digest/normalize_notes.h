// What was changed in an event and why: the `_meta` tree, in the places of what it is about, and the
// entries of the event's `errors`.
//
//   "_meta": {"user": {"email": {"": {"len": 90, "rem": [["!limit", "s", 72, 75]],
//                                     "err": [["invalid_data", {"reason": "…"}]], "val": …}}}}
//
// INVARIANT  At most 200 notes are taken, however bad the event is; values are quoted up to 500 bytes.
#pragma once

#include "api/digest/normalize_tree.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace picket::digest {

class Notes {
 public:
  // Goes on with what the SDK (or scrubbing) has noted.
  explicit Notes(json::object meta) : meta_(std::move(meta)) {}

  // invalid_data: the value was taken out because it is not what belongs there.
  void invalid(const Place& place, std::string_view reason, const json::value& value);
  void error(const Place& place, std::string_view kind, json::object details = {});
  // Text cut from `before` to `after` characters.
  void cut(const Place& place, std::size_t before, std::size_t after);
  // A list or an object lost entries; it had `before`.
  void shortened(const Place& place, std::size_t before);
  // Taken out whole to keep within a limit.
  void removed(const Place& place);
  // Characters of the value were replaced by a rule.
  void replaced(const Place& place, std::string_view rule, const json::value& before);

  json::object take_meta() { return std::move(meta_); }
  json::array take_errors() { return std::move(errors_); }

 private:
  json::object* note_at(const Place& place);  // nullptr when enough has been noted
  json::object& descend(const Place& place);

  json::object meta_;
  json::array errors_;
  std::size_t count_ = 0;
};

}  // namespace picket::digest
