// Cursors and the Link header. Both relations are always present, in the order and with the
// attributes that clients match by regular expression:
//
//   <URL&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", <…>; rel="next"; …
#include "api/rest/router.h"

#include <algorithm>
#include <charconv>

namespace picket::rest {
namespace {

// A whole number, or the whole part of a fraction ("1700000000000.0").
std::optional<std::uint64_t> parse_cursor_value(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  if (point != std::string_view::npos) {
    const auto fraction = text.substr(point + 1);
    if (fraction.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), value);
  if (error != std::errc() || end != whole.data() + whole.size() || whole.empty())
    return std::nullopt;
  return value;
}

// Past any list there is, and far from overflow when per_page is added.
constexpr std::uint64_t largest_offset = std::uint64_t{1} << 48;

bool parse_cursor(std::string_view text, Page& page) {
  const auto first = text.find(':');
  const auto second = first == std::string_view::npos ? first : text.find(':', first + 1);
  if (second == std::string_view::npos) return false;
  const auto value = parse_cursor_value(text.substr(0, first));
  const auto offset = parse_cursor_value(text.substr(first + 1, second - first - 1));
  const auto previous = text.substr(second + 1);
  if (!value || !offset || *offset > largest_offset || (previous != "0" && previous != "1"))
    return false;
  page.value = *value;
  page.offset = *offset;
  page.previous = previous == "1";
  return true;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string render_cursor(const Page& page) {
  return std::to_string(page.value) + ":" + std::to_string(page.offset) +
         (page.previous ? ":1" : ":0");
}

std::string render_link(const std::string& url,
                        std::string_view relation,
                        const Page& page,
                        bool results) {
  const auto cursor = render_cursor(page);
  return "<" + url + "&cursor=" + cursor + ">; rel=\"" + std::string(relation) + "\"; results=\"" +
         (results ? "true" : "false") + "\"; cursor=\"" + cursor + "\"";
}

// The request's own URL without its cursor.
std::string request_url(const Api& api, const Call& call) {
  std::string url = api.public_url;
  for (const char c : call.request.head.path) {
    if (c == '<' || c == '>' || c == '"') {
      url += http::percent_encode(std::string_view(&c, 1));
    } else {
      url += c;
    }
  }
  url += '?';
  bool first = true;
  for (const auto& [name, value] : call.query.pairs()) {
    if (name == "cursor") continue;
    if (!first) url += '&';
    first = false;
    url += http::percent_encode(name) + "=" + http::percent_encode(value);
  }
  return url;
}

}  // namespace

std::variant<Page, Reply> parse_page(const Query& query, std::size_t most) {
  Page page;
  page.per_page = most;
  if (const auto text = query.find("per_page")) {
    const auto number = parse_integer(*text);
    if (!number) return Reply::error(400, "Invalid per_page parameter.");
    if (*number < 1) return Reply::error(400, "Invalid per_page value. Cannot be less than 1.");
    if (*number > static_cast<std::int64_t>(most)) {
      return Reply::error(400,
                          "Invalid per_page value. Cannot exceed " + std::to_string(most) + ".");
    }
    page.per_page = static_cast<std::size_t>(*number);
  } else if (const auto limit = query.find("limit")) {
    const auto number = parse_integer(*limit);
    if (!number || *number < 0) return Reply::error(400, "Invalid limit parameter.");
    const auto wanted = std::clamp<std::int64_t>(*number, 1, static_cast<std::int64_t>(most));
    page.per_page = static_cast<std::size_t>(wanted);
  }
  const auto cursor = query.text("cursor");
  if (!cursor.empty() && !parse_cursor(cursor, page)) {
    return Reply::error(400, "Invalid cursor parameter.");
  }
  return page;
}

void add_links(Reply& reply, const Api& api, const Call& call, const Links& links) {
  const auto url = request_url(api, call);
  reply.headers.set("Link", render_link(url, "previous", links.previous, links.has_previous) +
                                ", " + render_link(url, "next", links.next, links.has_next));
}

void add_links(Reply& reply,
               const Api& api,
               const Call& call,
               const Page& page,
               std::size_t shown,
               bool more) {
  Links links;
  links.previous.value = page.value;
  links.previous.offset = page.offset > page.per_page ? page.offset - page.per_page : 0;
  links.previous.previous = true;
  links.has_previous = page.offset > 0;
  links.next.value = page.value;
  links.next.offset = page.offset + std::max(shown, page.per_page);
  links.has_next = more;
  add_links(reply, api, call, links);
}

Reply paginate(const Api& api, const Call& call, boost::json::array items) {
  const auto parsed = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  const auto from = std::min<std::size_t>(page.offset, items.size());
  const auto to = std::min(from + page.per_page, items.size());
  boost::json::array shown;
  shown.reserve(to - from);
  for (auto i = from; i < to; ++i)
    shown.push_back(std::move(items[i]));
  const bool more = to < items.size();
  auto reply = Reply::json(std::move(shown));
  add_links(reply, api, call, page, to - from, more);
  return reply;
}

}  // namespace picket::rest
