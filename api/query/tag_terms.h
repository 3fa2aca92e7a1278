// Terms that ask for tags: which key and which values in the tables they stand for.
#pragma once

#include "api/query/issue_filter.h"

#include <string>
#include <string_view>

namespace picket::query {

// Of the tag that holds the field ("user.email" is in "user"). `negate` is turned where the term asks
// for issues without the tag.
TagTest tag_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& term, bool& negate);

// The tag that `has:key` asks for.
std::string tag_of_key(std::string_view key);

// The newest release of the organization's projects in scope, by release (or else creation) time; ""
// when there is none.
std::string latest_release(const buffer::Reader& reader, const SearchScope& scope);

}  // namespace picket::query
