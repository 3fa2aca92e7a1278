#include "relay/ingest/intake_meta.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace picket::ingest {
namespace {

// What this is for is decided by its reader; here only that it could be an address.
bool looks_like_address(std::string_view text) {
  constexpr std::size_t longest = 64;
  constexpr std::string_view letters = "0123456789abcdefABCDEF:.[]%";
  return !text.empty() && text.size() <= longest &&
         text.find_first_not_of(letters) == std::string_view::npos;
}

std::string_view first_of_list(std::string_view list) {
  auto first = list.substr(0, list.find(','));
  while (first.starts_with(' ') || first.starts_with('\t'))
    first.remove_prefix(1);
  while (first.ends_with(' ') || first.ends_with('\t'))
    first.remove_suffix(1);
  return first;
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string kept(text.substr(0, longest));
  std::replace_if(
      kept.begin(), kept.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return kept;
}

}  // namespace

std::string find_client_address(const http::RequestHead& head) {
  constexpr std::array<std::string_view, 4> names{"CF-Connecting-IP", "X-Vercel-Forwarded-For",
                                                  "X-Sentry-Forwarded-For", "X-Forwarded-For"};
  for (const auto name : names) {
    const auto address = first_of_list(head.headers.find(name));
    if (looks_like_address(address)) return std::string(address);
  }
  return head.peer;
}

schema::IntakeMeta make_intake_meta(const http::RequestHead& head, std::string_view client) {
  schema::IntakeMeta meta;
  meta.set_remote_address(find_client_address(head));
  meta.set_user_agent(printable(head.headers.find("User-Agent"), 1000));
  meta.set_client(printable(client, 200));
  meta.set_origin(printable(head.headers.find("Origin"), 200));
  return meta;
}

}  // namespace picket::ingest
