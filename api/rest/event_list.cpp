// Events: lists of an issue or a project, one by id, its payload as it was sent.
#include "api/query/tag_match.h"
#include "api/rest/event_filter.h"
#include "api/rest/event_shapes.h"
#include "api/digest/normalize_tree.h"
#include "api/digest/payload.h"
#include "api/rest/event_markdown.h"
#include "api/rest/event_view.h"
#include "api/rest/issue_rows.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <utility>

namespace picket::rest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

// A filtered list reads payloads until its page is full; this many at most, then it says there is more.
constexpr std::size_t most_read = 2'000;
constexpr std::chrono::milliseconds longest_read = std::chrono::seconds(2);

// Where an event stands in a list: events_by_issue and events_by_project alike.
struct Position {
  std::uint64_t time = 0;
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
};

// A cursor names a position by its time and, in one number, its place in the journal.
constexpr std::uint64_t items_per_record = 16'384;
Page page_of(const Position& position, bool previous) {
  return {.value = position.time,
          .offset = position.sequence * items_per_record + position.item,
          .previous = previous,
          .per_page = 0};
}
Key key_of(std::uint64_t owner, const Page& page) {
  return Key().u64(owner).u64(page.value).u64(page.offset / items_per_record).u16(static_cast<std::uint16_t>(page.offset % items_per_record));
}

struct ListOf {
  Table table = Table::events_by_issue;
  std::uint64_t owner = 0;
  std::uint64_t project = 0;
};

struct EventPage {
  std::vector<std::pair<Position, EventView>> events;
  std::optional<Position> last_read;  // where a list that gave up early goes on
  bool more = false;                  // in the direction of reading
};

// Newest first (`previous`: away from the newest first page, so oldest first, then turned around).
class EventReading {
 public:
  EventReading(const Api& api, const buffer::Reader& reader, const ListOf& list, const EventFilter& filter)
      : api_(api), reader_(reader), list_(list), filter_(filter), cursor_(reader.cursor(list.table)) {}

  EventPage read(const Page& page, const std::optional<Period>& period) {
    EventPage read;
    query::Deadline deadline(longest_read);
    std::size_t looked_at = 0;
    for (bool there = start(page, period); there && inside(period); there = page.previous ? cursor_.next() : cursor_.previous()) {
      if (read.events.size() == page.per_page || looked_at == most_read || deadline.over()) {
        read.more = true;
        break;
      }
      const auto position = position_here();
      read.last_read = position;
      ++looked_at;
      auto view = load_event(api_, reader_, {list_.project, position.sequence, position.item});
      if (view && passes(filter_, *view)) read.events.emplace_back(position, *std::move(view));
    }
    if (page.previous) std::reverse(read.events.begin(), read.events.end());
    return read;
  }

 private:
  bool start(const Page& page, const std::optional<Period>& period) {
    const bool first = page.value == 0 && page.offset == 0;
    if (page.previous && !first) return cursor_.seek(Key(key_of(list_.owner, page)).raw(std::string_view("\0", 1)));
    if (!first) return cursor_.seek_before(key_of(list_.owner, page));
    const auto until = period ? static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(period->to))) + 1 : ~std::uint64_t{0};
    return cursor_.seek_before(Key().u64(list_.owner).u64(until));
  }

  bool inside(const std::optional<Period>& period) const {
    KeyReader key(cursor_.key());
    if (key.u64() != list_.owner) return false;
    const auto at = static_cast<std::int64_t>(key.u64());
    return !period || (at >= to_ms(period->from) && at <= to_ms(period->to));
  }

  Position position_here() const {
    KeyReader key(cursor_.key());
    key.u64();
    Position position;
    position.time = key.u64();
    position.sequence = key.u64();
    position.item = key.u16();
    return position;
  }

  const Api& api_;
  const buffer::Reader& reader_;
  const ListOf& list_;
  const EventFilter& filter_;
  buffer::RowCursor cursor_;
};

std::variant<EventFilter, Reply> parse_event_filter(const Api& api, const Call& call) {
  EventFilter filter;
  filter.now = api.clock.now();
  auto condition = query::parse_condition(call.query.text("query"), query::issue_language(), filter.now);
  if (!condition) return Reply::error(400, condition.error().detail);
  filter.condition = *std::move(condition);
  for (const auto name : call.query.all("environment")) {
    if (!name.empty()) filter.environments.emplace_back(name);
  }
  return filter;
}

Links links_of(const EventPage& read, const Page& page) {
  const bool first = page.value == 0 && page.offset == 0;
  Links links;
  links.previous = links.next = page;
  links.previous.previous = true;
  links.next.previous = false;
  if (!read.events.empty()) {
    links.previous = page_of(read.events.front().first, true);
    links.next = page_of(read.events.back().first, false);
  }
  // A filtered list that gave up goes on where it stopped reading.
  const bool gave_up = read.more && read.last_read && read.events.size() < page.per_page;
  if (gave_up) (page.previous ? links.previous : links.next) = page_of(*read.last_read, page.previous);
  links.has_next = page.previous ? !first : read.more;
  links.has_previous = page.previous ? read.more : !first;
  return links;
}

Reply list_events(Api& api, const Call& call, const buffer::Reader& reader, const ListOf& list) {
  const auto parsed_page = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed_page)) return *refusal;
  const auto period = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  const auto filter = parse_event_filter(api, call);
  if (const auto* refusal = std::get_if<Reply>(&filter)) return *refusal;
  const auto& page = std::get<Page>(parsed_page);
  const auto read = EventReading(api, reader, list, std::get<EventFilter>(filter)).read(page, std::get<std::optional<Period>>(period));
  const auto full = call.query.text("full");
  const bool in_full = full == "1" || full == "true";
  json::array events;
  events.reserve(read.events.size());
  for (const auto& [position, view] : read.events) {
    events.push_back(in_full ? render_event(api, call, reader, view) : render_event_summary(view));
  }
  auto reply = Reply::json(std::move(events));
  add_links(reply, api, call, links_of(read, page));
  return reply;
}

Reply issue_events(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  return list_events(api, call, snapshot, {Table::events_by_issue, rows->issue.id(), rows->issue.project()});
}

Reply project_events(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  return list_events(api, call, snapshot, {Table::events_by_project, call.project->id(), call.project->id()});
}

// latest, oldest, recommended or an id, within the issue.
std::optional<EventView> find_issue_event(Api& api, const buffer::Reader& reader, const IssueRows& rows, std::string_view name, const EventFilter& filter) {
  const auto project = rows.issue.project();
  if (name == "latest" || name == "recommended" || name == "oldest") {
    const ListOf list{Table::events_by_issue, rows.issue.id(), project};
    Page page{.value = 0, .offset = 0, .previous = false, .per_page = 1};
    if (name == "oldest") page = {.value = 0, .offset = 1, .previous = true, .per_page = 1};
    auto read = EventReading(api, reader, list, filter).read(page, std::nullopt);
    if (read.events.empty()) return std::nullopt;
    return std::move(read.events.front().second);
  }
  const auto place = query::find_event(reader, std::vector{project}, name);
  auto view = place ? load_event(api, reader, *place) : std::nullopt;
  if (!view || query::resolve_issue(reader, view->row.issue()) != rows.issue.id()) return std::nullopt;
  return view;
}

// As JSON, or as a text for those who would rather read one.
Reply render_as_accepted(Api& api, const Call& call, const buffer::Reader& reader, const EventView& view) {
  const auto type = accepted_text(call.request.head.headers.find("Accept"));
  if (type.empty()) return Reply::json(render_event_details(api, call, reader, view));
  const auto rows = view.row.issue() == 0 ? std::nullopt : load_issue(reader, call.organization->id(), view.row.issue());
  const auto issue = rows ? query::render_short_id(rows->project.slug(), rows->issue.short_number()) : std::string();
  return Reply::raw(render_event_markdown(view, issue), std::string(type) + "; charset=utf-8");
}

Reply issue_event(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  const auto filter = parse_event_filter(api, call);
  if (const auto* refusal = std::get_if<Reply>(&filter)) return *refusal;
  const auto view = find_issue_event(api, snapshot, *rows, call.path_text("event_id"), std::get<EventFilter>(filter));
  if (!view) return Reply::error(404, "No matching event");
  return render_as_accepted(api, call, snapshot, *view);
}

Reply project_event(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto place = query::find_event(snapshot, std::vector{call.project->id()}, call.path_text("event_id"));
  const auto view = place ? load_event(api, snapshot, *place) : std::nullopt;
  if (!view) return Reply::error(404, "Event not found");
  return render_as_accepted(api, call, snapshot, *view);
}

// What an SDK sent, as it sent it; Sentry has no such parameter.
boost::json::object raw_payload(const Api& api, const EventView& view) {
  const auto payload = digest::read_payload(api.journal, view.place.sequence, view.place.item);
  bool repaired = false;
  auto tree = payload ? digest::read_tree(payload->own().payload, repaired) : std::nullopt;
  return tree ? *std::move(tree) : json::object();
}

// The normalised event, or with `?raw=1` the payload as the SDK sent it, with what it is filed under
// where the SDK did not say.
Reply project_event_json(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto place = query::find_event(snapshot, std::vector{call.project->id()}, call.path_text("event_id"));
  auto view = place ? load_event(api, snapshot, *place) : std::nullopt;
  if (!view) return Reply::error(404, "Event not found");
  if (call.query.text("raw") == "1") view->payload = raw_payload(api, *view);
  auto& payload = view->payload;
  payload["event_id"] = view->event_id;
  payload["project"] = view->place.project;
  if (!member(payload, "timestamp")) payload["timestamp"] = static_cast<double>(view->row.timestamp_ms()) / 1000.0;
  if (!member(payload, "received")) payload["received"] = static_cast<double>(view->row.received_ms()) / 1000.0;
  return Reply::json(std::move(payload));
}

}  // namespace

std::vector<Route> event_routes() {
  const std::vector<std::string_view> read_issues = {"event:read", "event:write", "event:admin"};
  const std::vector<std::string_view> read = {"project:read", "project:write", "project:admin", "event:read"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/events/", read_issues, issue_events},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/events/{event_id}/", read_issues, issue_event},
      {"GET", "/api/0/issues/{issue_id}/events/", read_issues, by_issue<issue_events>},
      {"GET", "/api/0/issues/{issue_id}/events/{event_id}/", read_issues, by_issue<issue_event>},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/events/", read, project_events},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/events/{event_id}/", read, project_event},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/events/{event_id}/json/", read, project_event_json},
  };
}

}  // namespace picket::rest
