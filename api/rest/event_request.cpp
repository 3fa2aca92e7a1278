// The HTTP request of an event.
#include "api/rest/event_entries.h"
#include "api/rest/event_shapes.h"
#include "api/query/pattern.h"

#include <algorithm>

namespace picket::rest {
namespace {

struct SplitUrl {
  std::string url;
  std::string query;
  std::string fragment;
};

SplitUrl split_url(std::string_view url) {
  SplitUrl split;
  if (const auto hash = url.find('#'); hash != std::string_view::npos) {
    split.fragment = url.substr(hash + 1);
    url = url.substr(0, hash);
  }
  if (const auto mark = url.find('?'); mark != std::string_view::npos) {
    split.query = url.substr(mark + 1);
    url = url.substr(0, mark);
  }
  split.url = url;
  return split;
}

json::value content_type_of(const json::array& headers, const json::value* data) {
  for (const auto& header : headers) {
    const auto& both = header.get_array();
    const auto value = text_value(both.back());
    if (!value || query::lower_ascii(both.front().get_string()) != "content-type") continue;
    return json::value(std::string_view(*value).substr(0, value->find(';')));
  }
  if (data && data->is_object()) return "application/json";
  return nullptr;
}

}  // namespace

json::value render_request(const json::object& request) {
  const auto url = text_member(request, "url");
  auto split = split_url(url.value_or(""));
  const auto* query = member(request, "query_string");
  const auto* headers = member(request, "headers");
  const auto* cookies = member(request, "cookies");
  const auto* data = member(request, "data");
  if (const auto fragment = text_member(request, "fragment")) split.fragment = *fragment;
  json::array shown_headers;
  if (headers) shown_headers = render_pairs(*headers, '\n');
  auto content_type = text_or_null_member(request, "inferred_content_type");
  if (content_type.is_null()) content_type = content_type_of(shown_headers, data);
  return json::object{
      {"apiTarget", text_or_null_member(request, "api_target")},
      {"method", text_or_null_member(request, "method")},
      {"url", url ? json::value(split.url) : json::value(nullptr)},
      {"query", query ? render_pairs(*query, '&') : render_pairs(json::value(split.query), '&')},
      {"fragment", split.fragment.empty() ? json::value(nullptr) : json::value(split.fragment)},
      {"data", data ? *data : json::value(nullptr)},
      {"headers", std::move(shown_headers)},
      {"cookies", cookies ? render_pairs(*cookies, ';') : json::array()},
      {"env", object_member(request, "env") ? value_or_null(request, "env") : json::value(nullptr)},
      {"inferredContentType", std::move(content_type)},
  };
}

}  // namespace picket::rest
