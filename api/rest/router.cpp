// The way of a request: route → token → method → scopes → organization, project, team → body →
// endpoint.
//
// What has no route answers as Sentry does: an empty 404, or a hint when only the trailing slash is
// missing. The routes are compiled once into a tree of path segments; a literal segment wins over a
// parameter.
#include "api/rest/router.h"

#include "api/rest/access.h"
#include "api/rest/auth.h"

#include <algorithm>
#include <memory>

namespace picket::rest {
namespace {

struct CompiledRoute {
  Route route;
  std::vector<std::string_view> names;  // of its parameters, in order
};

struct Node {
  std::vector<std::pair<std::string_view, std::unique_ptr<Node>>> literals;
  std::unique_ptr<Node> parameter;
  std::vector<CompiledRoute> routes;  // one per method
};

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (slash != 0) segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return segments;
}

Node& literal_child(Node& node, std::string_view text) {
  for (auto& [literal, child] : node.literals) {
    if (literal == text) return *child;
  }
  return *node.literals.emplace_back(text, std::make_unique<Node>()).second;
}

void add_route(Node& root, const Route& route) {
  Node* node = &root;
  CompiledRoute compiled{route, {}};
  for (const auto segment : split_path(route.pattern)) {
    if (segment.front() == '{') {
      compiled.names.push_back(segment.substr(1, segment.size() - 2));
      if (!node->parameter) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    } else {
      node = &literal_child(*node, segment);
    }
  }
  node->routes.push_back(std::move(compiled));
}

using RouteList = std::vector<Route> (*)();

// One line per topic; see the declarations in router.h.
constexpr RouteList topics[] = {
    root_routes,   organization_routes, project_routes, project_filter_routes, key_routes,          team_routes,
    member_routes, environment_routes,  release_routes, release_part_routes, issue_routes,
    issue_note_routes, issue_merge_routes, issue_share_routes, ownership_routes,
    event_routes,  grouping_routes,     tag_routes,          stats_routes,        ledger_routes,
    session_routes, monitor_routes,     user_report_routes, attachment_routes, trace_attachment_routes,
    explore_routes,
    timeseries_routes, facet_routes,     saved_query_routes,
    trace_routes,  trace_item_routes,   replay_routes,  profile_routes,
    sampling_routes, raw_item_routes,
};

const Node& route_tree() {
  static const Node tree = [] {
    Node root;
    for (const auto topic : topics) {
      for (const auto& route : topic())
        add_route(root, route);
    }
    return root;
  }();
  return tree;
}

using Segments = std::vector<std::string_view>;

// The node of a path, with its parameters' raw values; nullptr when there is none.
const Node* match(const Node& node, const Segments& segments, std::size_t at, Segments& values) {
  if (at == segments.size()) return node.routes.empty() ? nullptr : &node;
  for (const auto& [literal, child] : node.literals) {
    if (literal != segments[at]) continue;
    if (const auto* found = match(*child, segments, at + 1, values)) return found;
  }
  if (!node.parameter) return nullptr;
  values.push_back(segments[at]);
  if (const auto* found = match(*node.parameter, segments, at + 1, values)) return found;
  values.pop_back();
  return nullptr;
}

const CompiledRoute* find_method(const Node& node, std::string_view method) {
  if (method == "HEAD") method = "GET";
  for (const auto& compiled : node.routes) {
    if (compiled.route.method == method) return &compiled;
  }
  return nullptr;
}

std::string allowed_methods(const Node& node) {
  std::string allowed;
  for (const auto& compiled : node.routes) {
    allowed += std::string(compiled.route.method) + ", ";
    if (compiled.route.method == "GET") allowed += "HEAD, ";
  }
  return allowed + "OPTIONS";
}

http::Response render(Reply reply) {
  http::Response response;
  response.status = reply.status;
  response.headers = std::move(reply.headers);
  if (reply.body) response.body = boost::json::serialize(*reply.body);
  if (!reply.content_type.empty()) {
    response.body = std::move(reply.bytes);
    response.content_type = std::move(reply.content_type);
    response.file = std::move(reply.file);
  }
  return response;
}

http::Response unknown_route(const http::RequestHead& head) {
  if (head.path.ends_with('/'))
    return {.status = 404, .headers = {}, .body = {}, .content_type = {}};
  constexpr std::string_view hint = "Route not found, did you forget a trailing slash?";
  if (head.headers.find("Content-Type").starts_with("application/json")) {
    return render(Reply::json(boost::json::object{{"info", hint}}, 404));
  }
  std::string text = std::string(hint) + "\n\ntry: " + head.path + "/\n";
  return {.status = 404, .headers = {}, .body = std::move(text), .content_type = "text/plain"};
}

Reply method_not_allowed(const Node& node, std::string_view method) {
  auto reply = Reply::error(405, "Method \"" + replace_invalid_utf8(method) + "\" not allowed.");
  reply.headers.set("Allow", allowed_methods(node));
  return reply;
}

// Decoded, or nothing for a value that no stored name can have.
std::optional<std::string> decode_segment(std::string_view raw) {
  auto text = http::percent_decode(raw, false);
  if (text.find('\0') != std::string::npos || replace_invalid_utf8(text) != text)
    return std::nullopt;
  return text;
}

Reply moved(const schema::Project& project, std::string_view named, const Call& call) {
  const auto segments = split_path(call.request.head.path);
  std::string url;
  bool replaced = false;
  for (const auto segment : segments) {
    const bool is_slug =
        !replaced && url.starts_with("/api/0/projects/") && decode_segment(segment) == named;
    replaced = replaced || is_slug;
    url += "/" + (is_slug ? project.slug() : std::string(segment));
  }
  url += "/";
  if (!call.request.head.query.empty()) url += "?" + call.request.head.query;
  const boost::json::object extra{{"url", url}, {"slug", project.slug()}};
  const boost::json::object detail{
      {"code", "resource-moved"}, {"message", "Resource has been moved"}, {"extra", extra}};
  auto reply = Reply::json(boost::json::object{{"slug", project.slug()}, {"detail", detail}}, 302);
  reply.headers.set("Location", url);
  return reply;
}

// Fills in what the path names, or says why not.
std::optional<Reply> resolve(Api& api, Caller& caller, Call& call) {
  const auto snapshot = api.tables.snapshot();
  for (const auto& [name, value] : call.path) {
    if (name == "organization_id_or_slug") {
      call.organization = find_organization(snapshot, value);
      if (!call.organization) return Reply::not_found();
      if (!admit_to_organization(snapshot, call.organization->id(), caller))
        return Reply::forbidden();
    } else if (name == "project_id_or_slug") {
      call.project = find_project(snapshot, call.organization->id(), value);
      if (!call.project) return Reply::not_found();
      const bool by_id = std::to_string(call.project->id()) == value;
      if (!by_id && call.project->slug() != value) return moved(*call.project, value, call);
    } else if (name == "team_id_or_slug") {
      call.team = find_team(snapshot, call.organization->id(), value);
      if (!call.team) return Reply::not_found();
    }
  }
  return std::nullopt;
}

std::optional<Reply> parse_body(std::string_view bytes, boost::json::value& body) {
  if (bytes.find_first_not_of(" \t\r\n") == std::string_view::npos) return std::nullopt;
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = 64;
  body = boost::json::parse(bytes, error, {}, options);
  if (error) return Reply::error(400, "JSON parse error - " + error.message());
  return std::nullopt;
}

bool has_any(const Caller& caller, const std::vector<std::string_view>& scopes) {
  return scopes.empty() || std::any_of(scopes.begin(), scopes.end(),
                                       [&](std::string_view scope) { return caller.can(scope); });
}

// REQUIRES: `node` is the path's, `values` its raw parameters.
Reply answer(Api& api, const http::Request& request, const Node& node, const Segments& values) {
  const auto* compiled = find_method(node, request.head.method);
  const bool anonymous = compiled != nullptr && compiled->route.anonymous;
  std::variant<Caller, Reply> authenticated;
  if (!anonymous) authenticated = authenticate(api, request.head.headers);
  if (auto* refusal = std::get_if<Reply>(&authenticated)) return std::move(*refusal);
  auto& caller = std::get<Caller>(authenticated);

  if (compiled == nullptr) return method_not_allowed(node, request.head.method);
  if (!has_any(caller, compiled->route.scopes)) return Reply::forbidden();

  Call call{request, caller, {}, Query(request.head.query), nullptr, {}, {}, {}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto value = decode_segment(values[i]);
    if (!value) return Reply::not_found();
    call.path.emplace_back(compiled->names[i], *std::move(value));
  }
  if (auto refusal = resolve(api, caller, call)) return *std::move(refusal);
  if (!has_any(caller, compiled->route.scopes))
    return Reply::forbidden();  // by the role, now known

  const bool reads = compiled->route.method == "GET";
  if (!reads) {
    if (request.body.size() > max_body_bytes) return Reply::error(413, "Request body too large.");
    if (auto refusal = parse_body(request.body, call.body)) return *std::move(refusal);
  }
  return compiled->route.endpoint(api, call);
}

}  // namespace

http::Response serve(Api& api, const http::Request& request) {
  Segments values;
  // Terraform's provider leaves the slash out there.
  const bool closed = request.head.path.ends_with('/') || request.head.path.ends_with("/ownership");
  const Node* node =
      closed ? match(route_tree(), split_path(request.head.path), 0, values) : nullptr;
  if (node == nullptr) return unknown_route(request.head);
  if (request.head.method == "OPTIONS") {
    http::Response response;
    response.headers.set("Allow", allowed_methods(*node));
    return response;
  }
  try {
    return render(answer(api, request, *node, values));
  } catch (const std::exception& exception) {
    // One request that hits a flaw of ours must not take the others with it.
    log(Level::error, "rest", "endpoint failed",
        {{"method", request.head.method}, {"reason", exception.what()}});
    return render(Reply::error(500, "Internal Error"));
  }
}

}  // namespace picket::rest
