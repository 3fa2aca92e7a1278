// One trace: its spans and errors as a tree, what it consists of, its logs.
#include "api/rest/fact_request.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using facts::Dataset;

constexpr std::size_t most_spans = 10'000;
constexpr std::size_t most_errors = 1'000;

bool is_trace_id(std::string_view text) {
  return static_cast<bool>(relay::parse_event_id(text));
}

std::variant<query::FactRequest, Reply> trace_request(Api& api, const Call& call, Dataset dataset, std::string_view trace) {
  auto request = fact_request(api, call, dataset);
  if (auto* asked = std::get_if<query::FactRequest>(&request)) asked->condition = fact_condition("trace", trace);
  return request;
}

std::string text_of(query::BlockFields& fields, std::size_t row, std::string_view name) {
  return fields.values(fact_field(name))[row].as_text();
}
double number_of(query::BlockFields& fields, std::size_t row, std::string_view name) {
  return fields.values(fact_field(name))[row].as_number().value_or(0);
}

// What spans and errors share.
json::object render_common(query::BlockFields& fields, std::size_t row, std::string_view description) {
  return {{"description", description},
          {"event_id", text_of(fields, row, "id")},
          {"project_id", fields.project().id},
          {"project_slug", fields.project().slug},
          {"transaction", text_of(fields, row, "transaction")}};
}

// Numbers whose names begin with a prefix.
json::object numbers_under(query::BlockFields& fields, std::size_t row, std::string_view prefix) {
  json::object numbers;
  for (const auto& column : fields.block().columns()) {
    if (!column.name.starts_with(prefix)) continue;
    const auto number = fields.values(fact_field(column.name))[row].as_number();
    if (number) numbers[column.name] = *number;
  }
  return numbers;
}

struct SpanNode {
  std::string id;
  std::string parent;
  double start = 0;
  json::object shown;
  std::vector<std::size_t> children;
  json::array errors;
};

json::object render_span(query::BlockFields& fields, std::size_t row, const std::vector<std::string_view>& extra) {
  auto description = text_of(fields, row, "span.description");
  const auto op = text_of(fields, row, "span.op");
  auto name = text_of(fields, row, "span.name");
  if (name.empty()) name = op;
  const auto& parent = fields.values(fact_field("parent_span"))[row];
  const double start = number_of(fields, row, "precise.start_ts");
  const double duration = number_of(fields, row, "span.duration");
  auto shown = render_common(fields, row, description);
  shown["event_type"] = "span";
  shown["op"] = op;
  shown["name"] = name;
  shown["parent_span_id"] = parent.there() ? json::value(parent.text) : json::value(nullptr);
  shown["profile_id"] = text_of(fields, row, "profile.id");
  shown["profiler_id"] = text_of(fields, row, "profiler.id");
  shown["sdk_name"] = text_of(fields, row, "sdk.name");
  shown["is_transaction"] = fields.values(fact_field("is_transaction"))[row].integer != 0;
  shown["transaction_id"] = text_of(fields, row, "transaction.event_id");
  shown["start_timestamp"] = start;
  shown["end_timestamp"] = start + duration / 1000.0;
  shown["duration"] = duration;
  shown["measurements"] = numbers_under(fields, row, "measurements.");
  shown["browser_web_vital"] = numbers_under(fields, row, "browser.web_vital.");
  shown["mobile_app_vital"] = numbers_under(fields, row, "app.vitals.");
  if (!extra.empty()) {
    json::object attributes;
    for (const auto wanted : extra) {
      const auto field = query::parse_field_expression(wanted);
      if (field && !field->is_function()) attributes[wanted] = render_cell(cell_of(fields.values(*field)[row]));
    }
    shown["additional_attributes"] = std::move(attributes);
  }
  return shown;
}

json::object render_error(query::BlockFields& fields, std::size_t row) {
  const auto& issue = fields.values(fact_field("issue.id"))[row];
  const auto& short_id = fields.values(fact_field("issue"))[row];
  const auto culprit = text_of(fields, row, "culprit");
  const auto at = number_of(fields, row, "precise.start_ts");
  auto shown = render_common(fields, row, text_of(fields, row, "title"));
  shown["event_type"] = "error";
  shown["issue_id"] = issue.integer;
  shown["level"] = text_of(fields, row, "level");
  shown["start_timestamp"] = at;
  shown["end_timestamp"] = at;
  shown["culprit"] = culprit;  // never null, as the document allows: the MCP server's schema does not
  shown["short_id"] = short_id.there() ? json::value(short_id.text) : json::value(nullptr);
  shown["issue_type"] = 1;
  return shown;
}

// A span that is its own ancestor is shown once, as a root.
class Tree {
 public:
  void add(SpanNode span) {
    by_id_.emplace(span.id, spans_.size());
    spans_.push_back(std::move(span));
  }
  SpanNode* find(const std::string& id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &spans_[found->second];
  }
  std::size_t size() const { return spans_.size(); }

  json::array render() {
    std::vector<std::size_t> order(spans_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return spans_[a].start < spans_[b].start; });
    std::vector<std::size_t> roots;
    for (const auto index : order) {
      const auto parent = spans_[index].parent.empty() ? by_id_.end() : by_id_.find(spans_[index].parent);
      if (parent == by_id_.end() || parent->second == index) {
        roots.push_back(index);
      } else {
        spans_[parent->second].children.push_back(index);
      }
    }
    state_.assign(spans_.size(), 0);
    for (const auto root : roots) mark(root);
    json::array shown;
    for (const auto index : order) {
      // Rings have no root: their first span becomes one.
      if (state_[index] == 0) {
        mark(index);
        roots.push_back(index);
      }
    }
    done_.assign(spans_.size(), false);
    for (const auto root : roots) shown.push_back(render_one(root, 0));
    return shown;
  }

 private:
  static constexpr int deepest = 200;

  void mark(std::size_t root) {
    std::vector<std::size_t> todo{root};
    while (!todo.empty()) {
      const auto index = todo.back();
      todo.pop_back();
      if (state_[index] != 0) continue;
      state_[index] = 1;
      todo.insert(todo.end(), spans_[index].children.begin(), spans_[index].children.end());
    }
  }

  json::object render_one(std::size_t index, int depth) {
    done_[index] = true;
    auto& span = spans_[index];
    json::array children;
    for (const auto child : span.children) {
      if (!done_[child] && depth < deepest) children.push_back(render_one(child, depth + 1));
    }
    auto shown = std::move(span.shown);
    shown["children"] = std::move(children);
    shown["errors"] = std::move(span.errors);
    shown["occurrences"] = json::array();
    return shown;
  }

  std::vector<SpanNode> spans_;
  std::unordered_map<std::string, std::size_t> by_id_;
  std::vector<char> state_;
  std::vector<bool> done_;
};

Reply get_trace(Api& api, const Call& call) {
  const auto trace = call.path_text("trace_id");
  if (!is_trace_id(trace)) return Reply::not_found();
  auto spans = trace_request(api, call, Dataset::spans, trace);
  if (auto* refusal = std::get_if<Reply>(&spans)) return std::move(*refusal);
  const auto snapshot = api.tables.snapshot();
  const auto extra = call.query.all("additional_attributes");
  Tree tree;
  auto walked = query::for_each_fact(snapshot, std::get<query::FactRequest>(spans), [&](query::BlockFields& fields, std::size_t row) {
    SpanNode span;
    span.id = text_of(fields, row, "id");
    span.parent = text_of(fields, row, "parent_span");
    span.start = number_of(fields, row, "precise.start_ts");
    span.shown = render_span(fields, row, extra);
    tree.add(std::move(span));
    return tree.size() < most_spans;
  });
  if (!walked) return fact_refusal(walked.error());
  auto errors = trace_request(api, call, Dataset::errors, trace);
  json::array orphans;
  std::size_t count = 0;
  walked = query::for_each_fact(snapshot, std::get<query::FactRequest>(errors), [&](query::BlockFields& fields, std::size_t row) {
    auto* span = tree.find(text_of(fields, row, "trace.span"));
    (span ? span->errors : orphans).push_back(render_error(fields, row));
    return ++count < most_errors;
  });
  if (!walked) return fact_refusal(walked.error());
  auto shown = tree.render();
  for (auto& orphan : orphans) shown.push_back(std::move(orphan));
  return Reply::json(std::move(shown));
}

Result<std::uint64_t> count_of(Api& api, const Call& call, const buffer::Reader& reader, Dataset dataset, std::string_view trace) {
  auto request = trace_request(api, call, dataset, trace);
  if (!std::holds_alternative<query::FactRequest>(request)) return std::uint64_t{0};
  std::uint64_t count = 0;
  auto walked = query::for_each_fact(reader, std::get<query::FactRequest>(request), [&](query::BlockFields&, std::size_t) {
    ++count;
    return true;
  });
  if (!walked) return walked.error();
  return count;
}

Reply get_trace_meta(Api& api, const Call& call) {
  const auto trace = call.path_text("trace_id");
  if (!is_trace_id(trace)) return Reply::not_found();
  auto request = trace_request(api, call, Dataset::spans, trace);
  if (auto* refusal = std::get_if<Reply>(&request)) return std::move(*refusal);
  const auto snapshot = api.tables.snapshot();
  std::map<std::string, std::uint64_t> by_op;
  std::map<std::string, std::uint64_t> by_transaction;
  std::uint64_t spans = 0;
  auto walked = query::for_each_fact(snapshot, std::get<query::FactRequest>(request), [&](query::BlockFields& fields, std::size_t row) {
    ++spans;
    ++by_op[text_of(fields, row, "span.op")];
    if (const auto transaction = text_of(fields, row, "transaction.event_id"); !transaction.empty()) ++by_transaction[transaction];
    return true;
  });
  if (!walked) return fact_refusal(walked.error());
  json::object ops;
  for (const auto& [op, count] : by_op) ops[op] = count;
  json::array transactions;
  for (const auto& [id, count] : by_transaction) transactions.push_back(json::object{{"transaction.event_id", id}, {"count()", count}});
  json::object meta;
  for (const auto& [name, dataset] : {std::pair{"errorsCount", Dataset::errors}, std::pair{"logsCount", Dataset::logs},
                                      std::pair{"metricsCount", Dataset::metrics}}) {
    const auto count = count_of(api, call, snapshot, dataset, trace);
    if (!count) return fact_refusal(count.error());
    meta[name] = *count;
  }
  meta["performanceIssuesCount"] = 0;
  meta["spansCount"] = spans;
  meta["transactionChildCountMap"] = std::move(transactions);
  meta["spansCountMap"] = std::move(ops);
  if (call.query.text("include_uptime") == "1") meta["uptimeCount"] = 0;
  return Reply::json(std::move(meta));
}

// The logs of a trace (or of several): what `events/?dataset=logs` gives, in fixed columns.
Reply list_trace_logs(Api& api, const Call& call) {
  const auto parsed_page = parse_page(call.query, 1000);
  if (const auto* refusal = std::get_if<Reply>(&parsed_page)) return *refusal;
  const auto& page = std::get<Page>(parsed_page);
  auto asked = fact_request(api, call, Dataset::logs);
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  auto& request = std::get<query::FactRequest>(asked);
  auto condition = query::parse_condition(call.query.text("query"), query::fact_language(), api.clock.now());
  if (!condition) return fact_refusal(condition.error());
  query::Condition traces;
  traces.kind = query::ConditionKind::any;
  for (const auto id : call.query.all("traceId")) {
    if (!is_trace_id(id)) return Reply::error(400, "Invalid traceId");
    traces.parts.push_back(fact_condition("trace", id));
  }
  if (traces.parts.empty()) return Reply::error(400, "traceId is required");
  request.condition.parts.push_back(std::move(traces));
  request.condition.parts.push_back(*std::move(condition));
  constexpr std::string_view names[] = {"id", "project.id", "trace", "severity_number", "severity",
                                        "timestamp", "timestamp_precise", "message"};
  for (const auto name : names) request.fields.push_back(fact_field(name));
  const auto sort = call.query.text("sort");
  request.sorts.push_back({fact_field("timestamp"), sort.empty() || sort.front() == '-'});
  request.offset = std::min<std::size_t>(static_cast<std::size_t>(page.offset), 10'000);
  request.most = page.per_page;
  const auto found = query::find_facts(api.tables.snapshot(), request);
  if (!found) return fact_refusal(found.error());
  json::array rows;
  for (const auto& fact : found->rows) {
    json::object row;
    for (std::size_t i = 0; i < fact.cells.size(); ++i) row[names[i]] = render_cell(fact.cells[i]);
    rows.push_back(std::move(row));
  }
  json::object fields;
  for (std::size_t i = 0; i < found->types.size(); ++i) fields[names[i]] = found->types[i];
  const auto shown = rows.size();
  auto reply = Reply::json(json::object{{"data", std::move(rows)}, {"meta", json::object{{"fields", std::move(fields)}, {"units", json::object()}}}});
  add_links(reply, api, call, page, shown, found->more);
  return reply;
}

}  // namespace

std::vector<Route> trace_routes() {
  const std::vector<std::string_view> read = {"org:read", "org:write", "org:admin", "event:read"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/trace/{trace_id}/", read, get_trace},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/trace-meta/{trace_id}/", read, get_trace_meta},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/trace-logs/", read, list_trace_logs},
  };
}

}  // namespace picket::rest
