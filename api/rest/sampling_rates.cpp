// The projects' own sample rates, as Sentry's settings page reads and writes them:
// [{"id": 1, "sampleRate": 0.5}]. They hold while the organization's samplingMode is "project".
#include "api/rest/changes.h"
#include "api/rest/data_settings.h"
#include "api/rest/render.h"

#include <map>

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;

namespace {

constexpr std::string_view own_rate = "targetSampleRate";

json::object render_rate(const schema::Project& project) {
  const auto rate = option(parse_options(project.options_json()), own_rate, 1.0);
  return {{"id", project.id()}, {"sampleRate", rate.is_null() ? json::value(1.0) : rate}};
}

Reply list_rates(Api& api, const Call& call) {
  json::array list;
  for (const auto& project : projects_of(api.tables.snapshot(), call.organization->id()))
    list.push_back(render_rate(project));
  return paginate(api, call, std::move(list));
}

// By project. The complaints stand in the list where the wrong entries do, as Sentry words them.
std::variant<std::map<std::uint64_t, double>, Reply> parse_rates(const Call& call) {
  const auto* list = call.body.if_array();
  if (list == nullptr)
    return Reply::invalid(json::object{{"non_field_errors", json::array{"Expected a list of items."}}});
  std::map<std::uint64_t, double> rates;
  json::array complaints;
  bool wrong = false;
  for (const auto& entry : *list) {
    json::object complaint;
    const auto* object = entry.if_object();
    const auto* id = object == nullptr ? nullptr : object->if_contains("id");
    const auto* rate = object == nullptr ? nullptr : object->if_contains("sampleRate");
    if (id == nullptr || !id->is_int64() || id->get_int64() < 1)
      complaint["id"] = json::array{"A valid integer is required."};
    if (rate == nullptr || !is_sample_rate(*rate))
      complaint["sampleRate"] = json::array{"Must be a number from 0 to 1."};
    wrong = wrong || !complaint.empty();
    if (complaint.empty()) rates[static_cast<std::uint64_t>(id->get_int64())] = rate->to_number<double>();
    complaints.push_back(std::move(complaint));
  }
  if (wrong) return Reply::invalid(std::move(complaints));
  return rates;
}

Reply put_rates(Api& api, const Call& call) {
  auto parsed = parse_rates(call);
  if (auto* refusal = std::get_if<Reply>(&parsed)) return std::move(*refusal);
  json::array changed;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    changed.clear();
    for (const auto& [id, rate] : std::get<std::map<std::uint64_t, double>>(parsed)) {
      auto row = find_project(batch, call.organization->id(), std::to_string(id));
      if (!row) return Reply::forbidden();
      auto options = merge_options(row->options_json(), json::object{{own_rate, rate}});
      if (!options) return Reply::error(400, "The settings are too large.");
      row->set_options_json(*std::move(options));
      put_project(batch, *row);
      changed.push_back(render_rate(*row));
    }
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::json(std::move(changed));
}

}  // namespace

std::vector<Route> sampling_routes() {
  constexpr std::string_view rates = "/api/0/organizations/{organization_id_or_slug}/sampling/project-rates/";
  return {{"GET", rates, {"org:read", "org:write", "org:admin"}, list_rates},
          {"PUT", rates, {"org:write", "org:admin"}, put_rates}};
}

}  // namespace picket::rest
