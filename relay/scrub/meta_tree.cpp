#include "relay/scrub/meta_tree.h"

#include "relay/protocol/json_object.h"

#include <simdjson.h>

#include <algorithm>

namespace picket::scrub {
namespace {

// Each level is read once more than the one above it; what is nested deeper stays as it came.
constexpr int max_depth = 24;

std::optional<Remark> parse_remark(simdjson::dom::array parts) {
  Remark remark;
  std::string_view rule;
  std::string_view type;
  if (parts.at(0).get(rule) != simdjson::SUCCESS || parts.at(1).get(type) != simdjson::SUCCESS ||
      type.size() != 1)
    return std::nullopt;
  remark.rule = rule;
  remark.type = type.front();
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  if (parts.at(2).get(begin) == simdjson::SUCCESS && parts.at(3).get(end) == simdjson::SUCCESS)
    remark.range = Span{begin, end};
  return remark;
}

std::vector<Remark> parse_remarks(std::string_view json) {
  std::vector<Remark> remarks;
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(json.data(), json.size()).get(list) != simdjson::SUCCESS) return remarks;
  for (const auto element : list) {
    simdjson::dom::array parts;
    if (element.get(parts) != simdjson::SUCCESS) continue;
    if (auto remark = parse_remark(parts)) remarks.push_back(*std::move(remark));
  }
  return remarks;
}

std::string render_remark(const Remark& remark) {
  auto text = "[" + relay::render_json_string(remark.rule) + "," +
              relay::render_json_string(std::string_view(&remark.type, 1));
  if (remark.range)
    text += "," + std::to_string(remark.range->begin) + "," + std::to_string(remark.range->end);
  return text + "]";
}

}  // namespace

MetaTree::MetaTree(std::string_view json) {
  read(json, 0);
}

void MetaTree::read(std::string_view json, int depth) {
  raw_ = json;
  if (depth == max_depth || !json.starts_with('{')) return;
  relay::JsonObjectReader reader(json);
  while (const auto member = reader.next()) {
    if (member->key.empty()) {
      read_own(member->value);
    } else {
      children_[relay::unescape_json(member->key)].read(member->value, depth + 1);
    }
  }
}

void MetaTree::read_own(std::string_view json) {
  has_own_ = true;
  if (!json.starts_with('{')) return;
  relay::JsonObjectReader reader(json);
  while (const auto member = reader.next()) {
    if (member->named("rem")) {
      remarks_ = parse_remarks(member->value);
    } else if (member->named("len")) {
      length_ = member->value;
    } else {
      others_.emplace_back(member->key, member->value);
    }
  }
}

std::vector<Remark> MetaTree::remarks_at(const MetaPath& path) const {
  const MetaTree* here = this;
  for (const auto& key : path) {
    const auto child = here->children_.find(key);
    if (child == here->children_.end()) return {};
    here = &child->second;
  }
  return here->remarks_;
}

void MetaTree::set(const MetaPath& path,
                   const std::vector<Remark>& remarks,
                   std::optional<std::size_t> length) {
  MetaTree* here = this;
  here->changed_ = true;
  for (const auto& key : path) {
    here = &here->children_[key];
    here->changed_ = true;
  }
  here->has_own_ = true;
  here->remarks_ = remarks;
  if (length && here->length_.empty()) here->length_ = std::to_string(*length);
  std::erase_if(here->others_, [](const auto& member) { return member.first == "val"; });
}

std::string MetaTree::render_own() const {
  std::string own = "{";
  const auto comma = [&own] {
    if (own.size() > 1) own += ',';
  };
  if (!remarks_.empty()) {
    own += "\"rem\":[";
    for (const auto& remark : remarks_) {
      if (own.back() != '[') own += ',';
      own += render_remark(remark);
    }
    own += ']';
  }
  if (!length_.empty()) {
    comma();
    own += "\"len\":" + length_;
  }
  for (const auto& [key, value] : others_) {
    comma();
    own += '"' + key + "\":" + value;
  }
  return own + "}";
}

std::string MetaTree::render() const {
  if (!changed_) return raw_;
  std::string json = "{";
  if (has_own_) json += "\"\":" + render_own();
  for (const auto& [key, child] : children_) {
    if (json.size() > 1) json += ',';
    json += relay::render_json_string(key) + ":" + child.render();
  }
  return json + "}";
}

}  // namespace picket::scrub
