// An issue as Sentry's answers show it.
#pragma once

#include "api/rest/issue_rows.h"

#include <boost/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace picket::rest {

// Which counts a list shows beside each issue.
enum class StatsSeries : std::uint8_t { none, day, fortnight, fitting };
// "", "24h", "14d", "auto"; nothing for another word.
std::optional<StatsSeries> parse_stats_series(std::string_view word);

struct IssueShape {
  StatsSeries series = StatsSeries::day;
  std::optional<Period> period{};  // of StatsSeries::fitting; none: two weeks
  bool lifetime = true;
  bool listed = true;  // with the members that only lists have
  bool attachments = false;  // of the latest event: whether there are any
};

// Renders many issues of one snapshot; remembers projects and people. All values live in one arena,
// which they keep alive: building a hundred issues is a hundredth of the allocations.
class IssueRenderer {
 public:
  // REQUIRES: all outlive the renderer; call.organization is there.
  IssueRenderer(const Api& api, const Call& call, const buffer::Reader& reader);

  boost::json::object render(const IssueRows& rows, const IssueShape& shape);
  // With activity, releases, tags and both series.
  boost::json::object render_details(const IssueRows& rows, bool with_stats, bool with_tags, bool with_releases);

  const boost::json::storage_ptr& storage() const { return storage_; }

 private:
  void add_stamps(boost::json::object& json, const schema::Issue& issue);
  void add_state(boost::json::object& json, const schema::Issue& issue);
  void add_list_members(boost::json::object& json, const IssueRows& rows, const IssueShape& shape);
  boost::json::value render_assignee(const schema::Issue& issue);
  boost::json::value render_status_details(const schema::Issue& issue);
  boost::json::array render_people(std::uint64_t issue, bool subscribed);
  boost::json::array render_activities(const IssueRows& rows);
  boost::json::value render_release_of(std::string_view version);
  const boost::json::object& project_summary(const schema::Project& project);

  const Api& api_;
  const Call& call_;
  const buffer::Reader& reader_;
  const Time now_;
  boost::json::storage_ptr storage_;
  std::map<std::uint64_t, boost::json::object> projects_;
  std::map<std::uint64_t, boost::json::value> users_;
  std::map<std::uint64_t, boost::json::value> actors_;
  std::map<std::uint64_t, boost::json::value> teams_;
};

// Counts per hour or day as [[epoch seconds, count], …], oldest first, `points` up to and with now's.
boost::json::array hourly(const schema::IssueCounters& counters, Time until, std::size_t points, boost::json::storage_ptr storage = {});
boost::json::array daily(const schema::IssueCounters& counters, Time until, std::size_t points, boost::json::storage_ptr storage = {});

}  // namespace picket::rest
