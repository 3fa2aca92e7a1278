// Terms that ask for tags: which key and which values in the tables they stand for.
#pragma once

#include "api/query/issue_filter.h"

#include <string>
#include <vector>

namespace picket::query {

// Usually one test; a term whose fields live in one tag ("user.email") becomes a test of that tag.
std::vector<TagTest> tag_tests(const buffer::Reader& reader, const SearchScope& scope, const SearchTerm& term);

// The tag that `has:key` asks for.
std::string tag_of_key(std::string_view key);

// The newest release of the organization's projects in scope, by release (or else creation) time; ""
// when there is none.
std::string latest_release(const buffer::Reader& reader, const SearchScope& scope);

}  // namespace picket::query
