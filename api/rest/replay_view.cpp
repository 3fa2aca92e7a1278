#include "api/rest/replay_view.h"

#include "api/query/pattern.h"
#include "api/query/search_values.h"
#include "api/rest/access.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Key;
using buffer::Table;
using query::Condition;
using query::ConditionKind;
using query::Operator;

constexpr std::size_t most_replays = 20'000;

std::int64_t activity_of(const schema::Replay& replay) {
  const auto score = (25 * replay.error_ids_size() + 5 * replay.urls_size()) / 10;
  return std::min(10, score);
}

template <class List>
std::vector<std::string> listed(const List& list) {
  return {list.begin(), list.end()};
}

// The values of a field that is text.
std::vector<std::string> texts_of(const schema::Replay& replay, std::string_view name) {
  if (name == "id" || name == "replay_id") return {relay::render_hex(replay.replay_id())};
  if (name == "environment") return {replay.environment()};
  if (name == "platform") return {replay.platform()};
  if (name == "release" || name == "releases") return listed(replay.releases());
  if (name == "dist") return {replay.dist()};
  if (name == "replay_type") return {replay.replay_type()};
  if (name == "url" || name == "urls") return listed(replay.urls());
  if (name == "error_id" || name == "error_ids") return listed(replay.error_ids());
  if (name == "trace" || name == "trace_id" || name == "trace_ids") return listed(replay.trace_ids());
  if (name == "user.id") return {replay.user_id()};
  if (name == "user.email") return {replay.user_email()};
  if (name == "user.username") return {replay.user_username()};
  if (name == "user.ip" || name == "user.ip_address") return {replay.user_ip()};
  if (name == "user") return {replay.user_id(), replay.user_email(), replay.user_username(), replay.user_ip()};
  if (name == "sdk.name") return {replay.sdk_name()};
  if (name == "sdk.version") return {replay.sdk_version()};
  if (name == "os.name") return {replay.os_name()};
  if (name == "os.version") return {replay.os_version()};
  if (name == "browser.name") return {replay.browser_name()};
  if (name == "browser.version") return {replay.browser_version()};
  if (name == "device.name") return {replay.device_name()};
  if (name == "device.brand") return {replay.device_brand()};
  if (name == "device.family") return {replay.device_family()};
  if (name == "device.model" || name == "device.model_id") return {replay.device_model()};
  for (const auto& tag : replay.tags()) {
    if (tag.key() == name) return listed(tag.values());
  }
  return {};
}

bool compare(double value, Operator op, double wanted) {
  switch (op) {
    case Operator::equal: return value == wanted;
    case Operator::not_equal: return value != wanted;
    case Operator::less: return value < wanted;
    case Operator::less_or_equal: return value <= wanted;
    case Operator::greater: return value > wanted;
    case Operator::greater_or_equal: return value >= wanted;
  }
  std::abort();
}

bool value_matches(const schema::Replay& replay, const Condition& filter, const query::SearchValue& value, Time now) {
  if (const auto number = filter.field.explicit_tag ? std::nullopt : replay_number(replay, filter.field.name)) {
    if (const auto relative = query::parse_relative_date(value.text, now))
      return relative->newer ? *number >= static_cast<double>(relative->point_ms) : *number < static_cast<double>(relative->point_ms);
    if (const auto date = query::parse_date(value.text)) return compare(*number, filter.op, static_cast<double>(date->from_ms));
    auto wanted = query::parse_duration(value.text);
    if (wanted) *wanted /= 1000;  // durations of replays are seconds
    if (!wanted) wanted = query::parse_number(value.text);
    return wanted && compare(*number, filter.op, *wanted);
  }
  const auto texts = texts_of(replay, filter.field.name);
  if (value.text.empty()) return std::ranges::all_of(texts, [](const auto& text) { return text.empty(); });
  const auto id = relay::parse_event_id(value.text);
  const query::Pattern pattern(id ? relay::render_event_id(*id) : value.text, false);
  return std::ranges::any_of(texts, [&](const auto& text) { return pattern.matches(text); });
}

bool passes(const schema::Replay& replay, const Condition& condition, Time now) {
  bool matches = true;
  switch (condition.kind) {
    case ConditionKind::all:
      matches = std::ranges::all_of(condition.parts, [&](const auto& part) { return passes(replay, part, now); });
      break;
    case ConditionKind::any:
      matches = std::ranges::any_of(condition.parts, [&](const auto& part) { return passes(replay, part, now); });
      break;
    case ConditionKind::has: {
      const auto texts = texts_of(replay, condition.field.name);
      matches = std::ranges::any_of(texts, [](const auto& text) { return !text.empty(); });
      break;
    }
    case ConditionKind::is:  // replays have no state
      matches = false;
      break;
    case ConditionKind::free_text: {
      const query::Pattern pattern(condition.values.front().text, true);
      matches = false;
      for (const auto& name : {"id", "urls", "user", "releases", "trace_ids", "error_ids"}) {
        for (const auto& text : texts_of(replay, name))
          matches = matches || pattern.found_in_lower(query::lower_ascii(text));
      }
      break;
    }
    case ConditionKind::filter:
      matches = std::ranges::any_of(condition.values, [&](const auto& value) {
        return value_matches(replay, condition, value, now);
      });
      break;
  }
  return matches != condition.negated;
}

json::value or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::array array_of(const google::protobuf::RepeatedPtrField<std::string>& list) {
  json::array array;
  for (const auto& text : list) array.emplace_back(text);
  return array;
}

json::object render_replay_user(const schema::Replay& replay) {
  std::string name = replay.user_username();
  for (const auto* other : {&replay.user_email(), &replay.user_id(), &replay.user_ip()}) {
    if (name.empty()) name = *other;
  }
  return {{"id", or_null(replay.user_id())},
          {"username", or_null(replay.user_username())},
          {"email", or_null(replay.user_email())},
          {"ip", or_null(replay.user_ip())},
          {"display_name", or_null(name)},
          {"geo", json::object{{"city", nullptr}, {"country_code", nullptr}, {"region", nullptr}, {"subdivision", nullptr}}}};
}

}  // namespace

std::optional<std::string> parse_replay_id(std::string_view text) {
  const auto id = relay::parse_event_id(text);
  if (!id) return std::nullopt;
  return std::string(relay::raw_bytes(*id));
}

std::optional<schema::Replay> find_replay(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_id) {
  auto row = buffer::find_row<schema::Replay>(reader, Table::replays, Key().u64(project).raw(raw_id));
  if (row && row->archived()) return std::nullopt;
  return row;
}

std::optional<double> replay_number(const schema::Replay& replay, std::string_view name) {
  if (name == "started_at" || name == "timestamp") return static_cast<double>(replay.started_ms());
  if (name == "finished_at") return static_cast<double>(replay.finished_ms());
  if (name == "duration") return static_cast<double>((replay.finished_ms() - replay.started_ms()) / 1000);
  if (name == "count_errors") return replay.error_ids_size();
  if (name == "count_segments") return replay.segments();
  if (name == "count_urls") return replay.urls_size();
  if (name == "count_dead_clicks") return replay.dead_clicks();
  if (name == "count_rage_clicks") return replay.rage_clicks();
  if (name == "count_warnings") return replay.warnings();
  if (name == "count_infos") return replay.infos();
  if (name == "activity") return static_cast<double>(activity_of(replay));
  return std::nullopt;
}

std::vector<schema::Replay> find_replays(const buffer::Reader& reader,
                                         const std::vector<schema::Project>& projects,
                                         const ReplayFilter& filter) {
  std::vector<schema::Replay> found;
  for (const auto& project : projects) {
    for_each(reader, Table::replays, Key().u64(project.id()), [&](std::string_view, std::string_view value) {
      auto replay = buffer::parse_row<schema::Replay>(value);
      if (replay.archived()) return true;
      const bool in_period = !filter.period || (replay.finished_ms() >= to_ms(filter.period->from) &&
                                                replay.started_ms() <= to_ms(filter.period->to) + 60'000);
      const bool in_environment = filter.environments.empty() ||
                                  std::ranges::find(filter.environments, replay.environment()) != filter.environments.end();
      if (in_period && in_environment && passes(replay, filter.condition, filter.now)) found.push_back(std::move(replay));
      return found.size() < most_replays;
    });
  }
  return found;
}

json::object render_replay(const schema::Replay& replay, std::uint64_t viewer, const std::set<std::string, std::less<>>& fields) {
  json::object tags;
  for (const auto& tag : replay.tags()) tags[tag.key()] = array_of(tag.values());
  const bool viewed = viewer != 0 && std::ranges::find(replay.viewed_by(), viewer) != replay.viewed_by().end();
  json::object shown{
      {"id", relay::render_hex(replay.replay_id())},
      {"project_id", std::to_string(replay.project())},
      {"trace_ids", array_of(replay.trace_ids())},
      {"error_ids", array_of(replay.error_ids())},
      {"environment", or_null(replay.environment())},
      {"tags", std::move(tags)},
      {"user", render_replay_user(replay)},
      {"sdk", json::object{{"name", or_null(replay.sdk_name())}, {"version", or_null(replay.sdk_version())}}},
      {"os", json::object{{"name", or_null(replay.os_name())}, {"version", or_null(replay.os_version())}}},
      {"browser", json::object{{"name", or_null(replay.browser_name())}, {"version", or_null(replay.browser_version())}}},
      {"device", json::object{{"name", or_null(replay.device_name())}, {"brand", or_null(replay.device_brand())},
                              {"model", or_null(replay.device_model())}, {"family", or_null(replay.device_family())}}},
      {"ota_updates", json::object{{"channel", nullptr}, {"runtime_version", nullptr}, {"update_id", nullptr}}},
      {"is_archived", false},
      {"urls", array_of(replay.urls())},
      {"segment_names", json::array()},
      {"clicks", json::array()},
      {"count_dead_clicks", replay.dead_clicks()},
      {"count_rage_clicks", replay.rage_clicks()},
      {"count_errors", replay.error_ids_size()},
      {"duration", (replay.finished_ms() - replay.started_ms()) / 1000},
      {"finished_at", render_time(replay.finished_ms())},
      {"started_at", render_time(replay.started_ms())},
      {"activity", activity_of(replay)},
      {"count_urls", replay.urls_size()},
      {"replay_type", replay.replay_type().empty() ? std::string("session") : replay.replay_type()},
      {"count_segments", replay.segments()},
      {"platform", or_null(replay.platform())},
      {"releases", array_of(replay.releases())},
      {"dist", or_null(replay.dist())},
      {"count_warnings", replay.warnings()},
      {"count_infos", replay.infos()},
      {"has_viewed", viewed},
  };
  if (fields.empty()) return shown;
  json::object chosen;
  for (auto& [name, value] : shown) {
    if (name == "id" || fields.contains(std::string_view(name))) chosen[name] = std::move(value);
  }
  return chosen;
}

}  // namespace picket::rest
