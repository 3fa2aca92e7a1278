// Why an event is in its issue: the variants of its grouping and the trees that explain them.
#include "api/digest/grouping.h"
#include "api/digest/grouping_book.h"
#include "api/query/issue_names.h"
#include "api/rest/event_view.h"
#include "api/rest/grouping_info.h"
#include "api/rest/render.h"

namespace picket::rest {

namespace json = boost::json;

namespace {

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::array render_texts(const std::vector<std::string>& texts) {
  json::array list;
  for (const auto& text : texts)
    list.emplace_back(text);
  return list;
}

bool is_shown(const grouping::Component& component) {
  return component.has_texts || component.first_child != nullptr || component.hint.reason != grouping::Reason::none;
}

json::object render_component(const grouping::Component& component) {
  json::array values;
  if (component.has_texts) {
    values.emplace_back(component.texts[0]);
    if (!component.texts[1].empty()) values.emplace_back(component.texts[1]);
  }
  for (const auto* child = component.first_child; child != nullptr; child = child->next) {
    if (is_shown(*child)) values.emplace_back(render_component(*child));
  }
  return json::object{{"id", grouping::wire_name(component.part)},
                      {"name", grouping::wire_name(component.part)},
                      {"contributes", component.contributes},
                      {"hint", text_or_null(grouping::render_hint(component.hint))},
                      {"values", std::move(values)}};
}

std::string describe(const grouping::Variant& variant) {
  switch (variant.kind) {
    case grouping::VariantKind::fingerprint: return "Fingerprint";
    case grouping::VariantKind::fallback: return "Nothing to group by";
    case grouping::VariantKind::component:
    case grouping::VariantKind::salted_component: break;
  }
  std::string text;
  for (const auto* child = variant.root->first_child; child != nullptr; child = child->next) {
    const bool leads = text.empty() || child->contributes;
    if (leads) text = grouping::wire_name(child->part);
    if (child->contributes) break;
  }
  if (variant.kind == grouping::VariantKind::salted_component) text += " with fingerprint";
  if (variant.name == "app") return "In-app " + text;
  return text.empty() ? std::string(variant.name) : text;
}

json::object render_variant(const grouping::Grouping& of, const grouping::Variant& variant) {
  json::object shown{{"key", variant.name},
                     {"type", grouping::wire_name(variant.kind)},
                     {"description", describe(variant)},
                     {"hash", variant.hash ? json::value(relay::render_hash(*variant.hash)) : json::value(nullptr)},
                     {"hashMismatch", false},
                     {"contributes", variant.hash.has_value()}};
  if (variant.root != nullptr) {
    shown["component"] = render_component(*variant.root);
    shown["config"] = json::object{{"id", grouping_config_id}};
  }
  const bool by_fingerprint = variant.kind == grouping::VariantKind::fingerprint ||
                              variant.kind == grouping::VariantKind::salted_component;
  if (!by_fingerprint) return shown;
  shown["values"] = render_texts(of.fingerprint);
  if (of.matched_rule.empty()) return shown;
  shown["client_values"] = render_texts(of.client_fingerprint);
  shown["matched_rule"] = of.matched_rule;
  return shown;
}

Reply get_grouping_info(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto place = query::find_event(snapshot, std::vector{call.project->id()}, call.path_text("event_id"));
  const auto view = place ? load_event(api, snapshot, *place) : std::nullopt;
  if (!view) return Reply::error(404, "Event not found");
  const auto config = digest::grouping_config(call.project->options_json());
  const auto evidence = digest::evidence_of(view->event);
  const auto of = grouping::group(evidence, config, grouping::Detail::explanation);
  json::object shown;
  for (const auto& variant : of.variants)
    shown[variant.name] = render_variant(of, variant);
  return Reply::json(std::move(shown));
}

}  // namespace

std::vector<Route> grouping_routes() {
  return {{"GET",
           "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/events/{event_id}/grouping-info/",
           {"project:read", "project:write", "project:admin", "event:read"},
           get_grouping_info}};
}

}  // namespace picket::rest
