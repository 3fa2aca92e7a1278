// Conditions on frames in an issue search: `stack.function`, `stack.filename`, `stack.abs_path`, `stack.module`.
//
// An issue has the functions, modules and files of its events' in-app frames as lines of text (IssueTexts), in which
// the parts are not marked: what stands where such a part stands, counts as one.
#pragma once

#include "api/query/issue_filter.h"

#include <string_view>

namespace picket::query {

bool names_part_of_frame(std::string_view key);
// Whether one of the frames, as IssueTexts has them, has such a part. REQUIRES: names_part_of_frame(), a pattern of lower case.
bool any_frame_matches(std::string_view key, std::string_view frames, const Pattern& pattern);

// Issues of which some frame has that part, and one of the values. REQUIRES: names_part_of_frame() of the field.
IssueTest stack_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& term);
// Issues of which any frame is known; negated, of which none is.
IssueTest has_stack_test(const buffer::Reader& reader, const SearchScope& scope, bool negated);

}  // namespace picket::query
