// Free text of an issue search: where it is looked for, cheapest first.
//
//   the issue's texts in memory      title, culprit, type and value, metadata
//   its user, by name                one look-up for all issues
//   IssueTexts                       frames, chains, paths: read where the signature says it may hold
//   tags url and user                where the text looks like a part of one
#pragma once

#include "api/query/issue_filter.h"

namespace picket::query {

// `in_texts`: the test of the issue's texts in memory, not negated.
// REQUIRES: a free text. The test reads through `reader`.
IssueTest free_text_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& term, IssueTest in_texts);

// Issues whose IssueTexts pass; they are read where the signature says that they may have all of `sequences`.
IssueTest held_in_texts(const buffer::Reader& reader, const SearchScope& scope, digest::TextSequences sequences,
                        std::function<bool(const schema::IssueTexts&)> passes);

// What an issue's signature must have for its texts to hold the pattern; nothing (all too short) means that
// the texts are not looked at.
digest::TextSequences sequences_of(const Pattern& pattern);

}  // namespace picket::query
