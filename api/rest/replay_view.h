// Replays as the answers show them, and as queries search them.
#pragma once

#include "api/query/condition.h"
#include "api/rest/router.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

// 16 raw bytes of 32 hex digits or a UUID.
std::optional<std::string> parse_replay_id(std::string_view text);

// Nothing when there is none, or when it was deleted.
std::optional<schema::Replay> find_replay(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_id);

struct ReplayFilter {
  std::optional<Period> period;
  std::vector<std::string> environments;
  query::Condition condition;
  Time now{};
};
// Those of the projects that pass, 20,000 at most.
std::vector<schema::Replay> find_replays(const buffer::Reader& reader,
                                         const std::vector<schema::Project>& projects,
                                         const ReplayFilter& filter);

// `viewer`: the user who asks, 0 for none; `fields`: what to show, all when empty.
boost::json::object render_replay(const schema::Replay& replay,
                                  std::uint64_t viewer,
                                  const std::set<std::string, std::less<>>& fields);

// A sort key by its public name; nothing for a name that cannot be sorted by.
std::optional<double> replay_number(const schema::Replay& replay, std::string_view name);

}  // namespace picket::rest
