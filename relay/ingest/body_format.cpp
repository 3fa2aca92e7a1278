#include "relay/ingest/body_format.h"

#include "relay/protocol/json_object.h"

#include <algorithm>

namespace picket::ingest {
namespace {

constexpr std::string_view space = " \t\r\n";

Error too_many(std::size_t most) {
  return Error{Fault::too_large, "more than " + std::to_string(most) + " entries"};
}

}  // namespace

std::string find_mime_type(const http::RequestHead& head) {
  const auto header = head.headers.find("Content-Type");
  std::string type(header.substr(0, header.find(';')));
  while (type.ends_with(' '))
    type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return type;
}

Result<std::vector<std::string_view>> split_objects(std::string_view body, std::size_t most) {
  const auto first = body.find_first_not_of(space);
  if (first != std::string_view::npos && body[first] == '[')
    return relay::JsonObjectReader::split_array(body, most);
  relay::JsonObjectReader reader(body);
  while (reader.next()) {
  }
  if (const auto& failure = reader.failure()) {
    return Error{Fault::malformed,
                 std::string(failure->reason) + " at byte " + std::to_string(failure->at)};
  }
  return std::vector{body};
}

Result<std::vector<std::string_view>> split_lines(std::string_view body, std::size_t most) {
  std::vector<std::string_view> lines;
  while (!body.empty()) {
    const auto end = std::min(body.find('\n'), body.size());
    const auto line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.find_first_not_of(space) == std::string_view::npos) continue;
    if (lines.size() == most) return too_many(most);
    lines.push_back(line);
  }
  return lines;
}

}  // namespace picket::ingest
