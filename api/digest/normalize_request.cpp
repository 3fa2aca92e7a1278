// The HTTP request of an event.
#include "relay/protocol/json_repair.h"
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array request_fields = {Field{"method", text, {32, 0}}, Field{"fragment", text, {1024, 100}}, Field{"inferred_content_type", text, {128, 0}},
                                       Field{"api_target", text, {128, 0}}, Field{"env", object}};
constexpr std::size_t most_pairs = 1000;

// "content-type" → "Content-Type".
std::string header_name(std::string_view name) {
  std::string shown(name);
  bool start = true;
  for (char& c : shown) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (!start && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    start = c == '-';
  }
  return shown;
}

std::string joined(const json::array& list) {
  std::string all;
  for (const auto& each : list) {
    const auto said = scalar_text(each);
    if (!said) continue;
    if (!all.empty()) all += ',';
    all += *said;
  }
  return all;
}

// A header with several values is read by its first where only one counts.
bool is_single(std::string_view name) {
  return name == "User-Agent" || name.starts_with("Sec-Ch-Ua");
}

void add_header(json::array& list, std::string_view name, const json::value& value) {
  if (list.size() == most_pairs) return;
  const auto shown = header_name(name);
  json::array pair{shown};
  if (const auto* several = value.if_array(); several && !several->empty()) {
    const auto first = is_single(shown) ? scalar_text(several->front()).value_or("") : joined(*several);
    pair.push_back(json::value(first));
  } else if (const auto said = scalar_text(value)) {
    pair.push_back(json::value(*said));
  } else {
    pair.push_back(is_single(shown) ? json::value("") : json::value(nullptr));
  }
  list.push_back(std::move(pair));
}

void normalize_headers(json::object& request, const Place& place, Notes& notes) {
  auto* said = request.if_contains("headers");
  if (!said) return;
  json::array list;
  if (const auto* object = said->if_object()) {
    for (const auto& [key, value] : *object) add_header(list, key, value);
  } else if (const auto* pairs = said->if_array()) {
    for (const auto& each : *pairs) {
      const auto* pair = each.if_array();
      if (pair && pair->size() >= 2 && pair->front().is_string()) add_header(list, pair->front().get_string(), pair->at(1));
    }
  } else if (!said->is_null()) {
    return reject(request, "headers", "expected headers", Place(place, "headers"), notes);
  }
  if (list.empty()) {
    request.stable_erase("headers");
  } else {
    *said = std::move(list);
  }
}

std::string header(const json::object& request, std::string_view name) {
  const auto* list = request.if_contains("headers");
  if (!list || !list->is_array()) return {};
  for (const auto& each : list->get_array()) {
    const auto& pair = each.get_array();
    if (pair[0].get_string() == name) return scalar_text(pair[1]).value_or("");
  }
  return {};
}

std::string percent_decoded(std::string_view text, bool plus) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = high >= 0 ? digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus && text[i] == '+' ? ' ' : text[i];
    }
  }
  return relay::repair_utf8(out);
}

json::array pairs_of_text(std::string_view text, char separator) {
  json::array pairs;
  const bool query = separator == '&';
  while (!text.empty() && pairs.size() < most_pairs) {
    const auto end = text.find(separator);
    const auto part = without_outer_space(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    const auto key = part.substr(0, equals);
    pairs.push_back(json::array{query ? percent_decoded(key, true) : std::string(key), query ? percent_decoded(value, true) : std::string(value)});
  }
  return pairs;
}

// Pairs from text, an object or a list of pairs.
void normalize_pairs(json::object& request, std::string_view name, char separator, const Place& place, Notes& notes) {
  auto* said = request.if_contains(name);
  if (!said) return;
  json::array pairs;
  if (const auto* line = said->if_string()) {
    const std::string_view written(*line);
    pairs = pairs_of_text(separator == '&' && written.starts_with('?') ? written.substr(1) : written, separator);
  } else if (const auto* object = said->if_object()) {
    for (const auto& [key, value] : *object) {
      if (pairs.size() < most_pairs) pairs.push_back(json::array{json::string(key), value});
    }
  } else if (const auto* list = said->if_array()) {
    for (const auto& each : *list) {
      const auto* pair = each.if_array();
      const auto key = pair && pair->size() == 2 ? scalar_text(pair->front()) : std::nullopt;
      if (key && pairs.size() < most_pairs) pairs.push_back(json::array{*key, pair->back()});
    }
  } else if (!said->is_null()) {
    return reject(request, name, "expected pairs", Place(place, name), notes);
  }
  if (pairs.empty()) {
    request.stable_erase(name);
  } else {
    *said = std::move(pairs);
  }
}

void split_the_url(json::object& request, const Place& place, Notes& notes) {
  auto* url = request.if_contains("url");
  if (!url) return;
  const Place here(place, "url");
  if (url->is_string()) {
    const std::string whole(url->get_string());
    const auto parts = split_url(whole);
    if (!find(request, "query_string") && !parts.query.empty()) request["query_string"] = parts.query;
    if (!find(request, "fragment") && !parts.fragment.empty()) request["fragment"] = parts.fragment;
    request["url"] = parts.url;
  }
  if (!check_text(request.at("url"), {256, 40}, here, notes)) reject(request, "url", "expected a string", here, notes);
}

bool looks_urlencoded(std::string_view text) {
  return text.find('=') != std::string_view::npos && text.find_first_of(" \t\r\n{}<>\"") == std::string_view::npos;
}

// A body that is JSON or a form in a string, as what it is.
void infer_body(json::object& request) {
  const auto header_type = header(request, "Content-Type");
  const auto type = without_outer_space(std::string_view(header_type).substr(0, header_type.find(';')));
  auto* body = request.if_contains("data");
  std::string inferred(type);
  const auto* said = body ? body->if_string() : nullptr;
  if (body && (body->is_object() || body->is_array()) && inferred.empty()) inferred = "application/json";
  if (said && said->size() <= 8192 && (type.empty() || type == "application/json" || type == "application/x-www-form-urlencoded")) {
    const std::string_view written = without_outer_space(*said);
    bool repaired = false;
    auto tree = type != "application/x-www-form-urlencoded" && written.starts_with('{') ? read_tree(written, repaired) : std::nullopt;
    if (tree && !repaired) {
      *body = *std::move(tree);
      inferred = "application/json";
    } else if (type != "application/json" && looks_urlencoded(written)) {
      json::object form;
      for (const auto& pair : pairs_of_text(written, '&')) form[pair.get_array()[0].get_string()] = pair.get_array()[1];
      *body = std::move(form);
      inferred = "application/x-www-form-urlencoded";
    }
  }
  if (!inferred.empty() && !find(request, "inferred_content_type")) request["inferred_content_type"] = ellipsed(inferred, 128);
}

}  // namespace

void normalize_request(Work& work) {
  auto* found = find_object(work.event, "request");
  if (!found) return;
  auto& request = *found;
  const Place place(work.root, "request");
  check_fields(request, request_fields, place, work.notes);
  split_the_url(request, place, work.notes);
  if (const auto method = text_or(request, "method"); !method.empty()) {
    std::string upper(method);
    const bool word = std::ranges::all_of(upper, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-'; });
    std::ranges::transform(upper, upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (word) {
      request["method"] = upper;
    } else {
      reject(request, "method", "invalid http method", Place(place, "method"), work.notes);
    }
  }
  if (request.contains("fragment") && text_or(request, "fragment").empty()) request.stable_erase("fragment");
  normalize_headers(request, place, work.notes);
  if (!find(request, "cookies")) {
    if (const auto cookies = header(request, "Cookie"); !cookies.empty() && cookies != "[Filtered]") request["cookies"] = cookies;
  }
  normalize_pairs(request, "query_string", '&', place, work.notes);
  normalize_pairs(request, "cookies", ';', place, work.notes);
  infer_body(request);
  if (request.empty()) work.event.stable_erase("request");
}

}  // namespace picket::digest
