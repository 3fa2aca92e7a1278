#include "relay/scrub/walk.h"

#include <algorithm>

namespace picket::scrub {
namespace {

// Values nested deeper are passed over: nothing that reads events looks that far down.
constexpr std::uint32_t max_depth = 200;
// Down to here the length of an array is counted to see whether it is a pair of a key and a list or
// object.
constexpr std::uint32_t max_pair_depth = 16;

bool is_string(char c) {
  return c == '"';
}

Types basic_type(char first) {
  switch (first) {
    case '"': return ValueType::string;
    case '{': return ValueType::object;
    case '[': return ValueType::array;
    case 't':
    case 'f': return ValueType::boolean;
    case 'n': return {};
    default: return ValueType::number;
  }
}

}  // namespace

std::string render_edits(std::string_view text, std::vector<Edit>& edits) {
  std::stable_sort(edits.begin(), edits.end(),
                   [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  std::string out;
  out.reserve(text.size() + 256);
  std::size_t at = 0;
  for (const auto& edit : edits) {
    out += text.substr(at, edit.begin - at);
    out += edit.replacement;
    at = edit.end;
  }
  out += text.substr(at);
  return out;
}

std::size_t Walk::walk_root(std::size_t token, const Node& node) {
  root_ = token;
  meta_.reset();
  Spot root;
  if (node.shape == Shape::any) root.place.pii = Pii::yes;
  root.key_signs = sign_anything;
  const auto after = value(token, root, node);
  finish_meta(token, after);
  root_.reset();
  return after;
}

void Walk::walk_bare(std::size_t token, const Node& node) {
  Spot root;
  if (!is(token, '{')) root.place.pii = Pii::yes;
  root.key_signs = sign_anything;
  value(token, root, node);
}

void Walk::walk_inner(std::size_t token, const Spot& spot) {
  Spot inner = spot;
  value(token, inner, Schema::get().any());
}

// The value of this member of the object that begins at `token`; size() when there is none.
std::size_t Walk::find_member(std::size_t token, std::string_view name) const {
  ++token;
  while (is(token, '"') && is(token + 1, ':')) {
    if (index_.content(token) == name) return token + 2;
    token = index_.after(token + 2);
    if (!is(token, ',')) break;
    ++token;
  }
  return index_.size();
}

template <class Visit>
std::size_t Walk::each_member(std::size_t token, Visit visit) {
  ++token;
  std::string buffer;
  while (is(token, '"') && is(token + 1, ':')) {
    const auto key = decoded(token, buffer);
    token = visit(token + 2, key);
    if (!is(token, ',')) break;
    ++token;
  }
  return is(token, '}') ? token + 1 : index_.size();
}

std::size_t Walk::value(std::size_t token, Spot& spot, const Node& node) {
  if (token >= index_.size() || spot.place.depth > max_depth) return index_.after(token);
  const char first = index_.first(token);
  const auto types = node.types | basic_type(first);
  spot.place.types = types;
  switch (node.shape) {
    case Shape::any: return any(token, spot, types);
    case Shape::values: return values(token, spot, node);
    case Shape::logentry: return logentry(token, spot, node);
    case Shape::record:
    case Shape::dom_node:
      if (first != '{') return any(token, spot, types);
      if (spot.place.pii != Pii::no) {
        if (removed(token, spot)) return index_.after(token);
      }
      return record(token, spot, node);
    case Shape::contexts: return first == '{' ? contexts(token, spot) : index_.after(token);
    case Shape::attributes: return first == '{' ? attributes(token, spot) : index_.after(token);
    case Shape::map:
    case Shape::list:
      return first == '[' ? elements(token, spot, *node.element, node.element_pii)
                          : any(token, spot, types);
    case Shape::pairs:
    case Shape::query:
    case Shape::cookies:
      if (first == '{' || first == '[') {
        if (removed(token, spot)) return index_.after(token);
        return pairs(token, spot);
      }
      if (!is_string(first) || node.shape == Shape::pairs) return any(token, spot, types);
      assignments(token, spot, node.shape == Shape::query ? '&' : ';');
      return token + 1;
    case Shape::url:
    case Shape::body:
    case Shape::path: break;
  }
  if (!is_string(first)) return any(token, spot, types);
  if (node.shape == Shape::url) {
    url(token, spot);
  } else if (node.shape == Shape::body) {
    body(token, spot);
  } else {
    path(token, spot);
  }
  return token + 1;
}

std::size_t Walk::any(std::size_t token, Spot& spot, Types types) {
  if (spot.place.pii == Pii::no) return index_.after(token);
  spot.place.types = types;
  const char first = index_.first(token);
  switch (first) {
    case '"': text(token, spot); return token + 1;
    case 't':
    case 'f':
    case 'n': return token + 1;
    case '{':
    case '[': break;
    default: removed(token, spot); return token + 1;
  }
  if (removed(token, spot)) return index_.after(token);
  if (first == '{') return members(token, spot);
  if (spot.is_pair) {
    const auto after = pair(token, spot, spot.place);
    return is(after, ']') ? after + 1 : index_.size();
  }
  return elements(token, spot, Schema::get().any(), spot.place.pii);
}

std::size_t Walk::members(std::size_t token, const Spot& spot) {
  Spot child;
  child.place.parent = &spot.place;
  child.place.pii = spot.place.pii;
  child.place.depth = spot.place.depth + 1;
  child.parent = &spot;
  return each_member(token, [&](std::size_t at, std::string_view key) {
    child.place.key = child.name = key;
    child.key_signs = signs_of_key(key, child.place.pii);
    return value(at, child, Schema::get().any());
  });
}

std::size_t Walk::elements(std::size_t token, const Spot& spot, const Node& element, Pii pii) {
  Spot child;
  child.place.parent = &spot.place;
  child.place.pii = pii;
  child.place.depth = spot.place.depth + 1;
  child.parent = &spot;
  child.key_signs = sign_anything;
  child.is_pair = holds_pairs(token, spot);
  ++token;
  if (is(token, ']')) return token + 1;
  for (std::uint32_t i = 0;; ++i) {
    child.place.index = i;
    token = value(token, child, element);
    if (!is(token, ',')) break;
    ++token;
  }
  return is(token, ']') ? token + 1 : index_.size();
}

// An array of two, the first a text: a key and its value.
bool Walk::is_pair(std::size_t token, const Spot& spot) const {
  if (!is(token, '[') || !is(token + 1, '"') || !is(token + 2, ',')) return false;
  if (is(token + 4, ']')) return !is(token + 3, '[') && !is(token + 3, '{');
  if (!is(token + 3, '[') && !is(token + 3, '{')) return false;
  return spot.place.depth < max_pair_depth && is(index_.after(token + 3), ']');
}

// A list of pairs and nothing else. Two texts by themselves are no pair: the first may hold the secret.
bool Walk::holds_pairs(std::size_t token, const Spot& spot) const {
  while (is_pair(++token, spot)) {
    token = index_.after(token);
    if (!is(token, ',')) return is(token, ']');
  }
  return false;
}

// REQUIRES: is_pair(token). The value's place is its key below `parent`. Returns the token behind
// the value.
std::size_t Walk::pair(std::size_t token, const Spot& spot, const Place& parent) {
  Spot child;
  child.parent = &spot;
  child.place.parent = &parent;
  child.place.depth = parent.depth + 1;
  child.place.pii = parent.pii;
  std::string buffer;
  const auto key = decoded(token + 1, buffer);
  const auto edits = edits_.size();
  // The key is a value too, unless it says what the other one is.
  child.place.index = 0;
  child.place.types = ValueType::string;
  child.key_signs = sign_anything;
  const bool named = (rules_.signs_of_key(key) & ~sign_anything) != 0;
  if (!named) text(token + 1, child);
  child.place.index.reset();
  child.place.key = key;
  child.name = "1";
  child.key_signs = rules_.signs_of_key(key);
  const auto after = value(token + 3, child, Schema::get().any());
  if (named || edits != edits_.size() || !is(token + 3, '"')) return after;
  child.place.index = 1;
  child.key_signs = sign_anything;
  text(token + 3, child);
  return after;
}

// Whether the members behind this value say `isStyle`, as far as they are no lists and objects.
bool Walk::style_follows(std::size_t token) const {
  for (++token; is(token, ',') && is(token + 1, '"') && is(token + 2, ':'); token += 4) {
    if (is(token + 3, '{') || is(token + 3, '[')) return false;
    if (index_.content(token + 1) == "isStyle") return is(token + 3, 't');
  }
  return false;
}

std::size_t Walk::record(std::size_t token, const Spot& spot, const Node& node) {
  Spot child;
  child.place.parent = &spot.place;
  child.place.depth = spot.place.depth + 1;
  child.parent = &spot;
  const bool is_root = spot.parent == nullptr;
  bool is_style = false;
  return each_member(token, [&](std::size_t at, std::string_view key) {
    const auto& field = node.field(key);
    if (node.shape == Shape::dom_node) {
      if (key == "isStyle") is_style = is(at, 't');
      if (key == "textContent" && is(at, '"')) is_style = is_style || style_follows(at);
    }
    if (field.node == nullptr || (is_root && key == "_meta")) return index_.after(at);
    child.name = key;
    child.place.key = field.canonical.empty() ? key : field.canonical;
    child.place.pii = is_style && key == "textContent" ? Pii::maybe : field.pii;
    child.key_signs = signs_of_key(key, child.place.pii);
    return value(at, child, *field.node);
  });
}

// In selectors always `exception.values.0`, however the list is written.
std::size_t Walk::values(std::size_t token, Spot& spot, const Node& node) {
  const char first = index_.first(token);
  if (first == '{') {
    if (const auto list = find_member(token, "values"); list < index_.size()) {
      Spot child;
      child.parent = &spot;
      child.place.parent = &spot.place;
      child.place.key = child.name = "values";
      child.place.depth = spot.place.depth + 1;
      child.place.types = ValueType::array;
      return each_member(token, [&](std::size_t at, std::string_view) {
        return at == list && is(at, '[') ? elements(at, child, *node.element, Pii::no)
                                         : index_.after(at);
      });
    }
  } else if (first != '[') {
    return index_.after(token);
  }
  Spot list;
  list.parent = &spot;
  list.in_payload = false;
  list.place.parent = &spot.place;
  list.place.key = "values";
  list.place.depth = spot.place.depth + 1;
  list.place.types = ValueType::array;
  if (first == '[') return elements(token, list, *node.element, Pii::no);
  Spot single;
  single.parent = &list;
  single.in_payload = false;
  single.place.parent = &list.place;
  single.place.index = 0;
  single.place.depth = list.place.depth + 1;
  return value(token, single, *node.element);
}

std::size_t Walk::pairs(std::size_t token, const Spot& spot) {
  Spot child;
  child.parent = &spot;
  child.place.parent = &spot.place;
  child.place.pii = spot.place.pii;
  child.place.depth = spot.place.depth + 1;
  if (is(token, '{')) {
    return each_member(token, [&](std::size_t at, std::string_view key) {
      child.place.key = child.name = key;
      child.key_signs = rules_.signs_of_key(key);
      return header(at, child);
    });
  }
  ++token;
  if (is(token, ']')) return token + 1;
  for (std::uint32_t i = 0;; ++i) {
    child.place.index = i;
    child.place.key = {};
    if (is_pair(token, spot)) {
      std::string buffer;
      Spot entry;
      entry.parent = &child;
      entry.name = "1";
      entry.place = child.place;
      entry.place.index.reset();
      entry.place.key = decoded(token + 1, buffer);
      entry.key_signs = rules_.signs_of_key(entry.place.key);
      const auto after = header(token + 3, entry);
      token = is(after, ']') ? after + 1 : index_.size();
    } else {
      child.key_signs = sign_anything;
      token = value(token, child, Schema::get().any());
    }
    if (!is(token, ',')) break;
    ++token;
  }
  return is(token, ']') ? token + 1 : index_.size();
}

// Headers of cookies are read as cookies: in selectors they are beside the headers.
std::size_t Walk::header(std::size_t token, Spot& header) {
  const auto key = header.place.key;
  if (!is(token, '"') || !(same_folded(key, "cookie") || same_folded(key, "set-cookie")))
    return value(token, header, Schema::get().any());
  header.place.types = ValueType::string;
  if (text(token, header, Asked::advanced)) return token + 1;
  if ((header.key_signs & ~sign_anything) != 0 && text(token, header)) return token + 1;
  Spot cookies = header;
  cookies.place.parent = header.place.parent->parent;
  cookies.place.key = "cookies";
  cookies.place.depth = header.place.depth - 1;
  assignments(token, cookies, ';');
  return token + 1;
}

std::size_t Walk::logentry(std::size_t token, Spot& spot, const Node& node) {
  const auto& message = Schema::get().message();
  Spot child;
  child.parent = &spot;
  child.place.parent = &spot.place;
  child.place.pii = Pii::yes;
  child.place.depth = spot.place.depth + 1;
  child.place.key = "formatted";
  child.key_signs = sign_anything;
  if (!is(token, '{')) {
    child.in_payload = false;
    return value(token, child, message);
  }
  if (const auto formatted = find_member(token, "formatted");
      formatted < index_.size() && !is(formatted, 'n'))
    return record(token, spot, node);
  // What is not formatted is shown as it is.
  return each_member(token, [&](std::size_t at, std::string_view key) {
    const auto& field = node.field(key);
    child.name = key;
    child.place.key = key == "message" ? "formatted" : key;
    child.key_signs = rules_.signs_of_key(child.place.key);
    return value(at, child,
                 key == "message" ? message : *(field.node == nullptr ? &message : field.node));
  });
}

std::size_t Walk::contexts(std::size_t token, const Spot& spot) {
  Spot child;
  child.parent = &spot;
  child.place.parent = &spot.place;
  child.place.depth = spot.place.depth + 1;
  return each_member(token, [&](std::size_t at, std::string_view key) {
    child.place.key = child.name = key;
    std::string buffer;
    auto type = key;
    if (is(at, '{')) {
      const auto member = find_member(at, "type");
      if (member < index_.size() && is(member, '"') && !index_.content(member).empty())
        type = decoded(member, buffer);
    }
    const auto& field = Schema::get().context(type);
    child.place.pii = field.pii;
    child.key_signs = rules_.signs_of_key(key);
    return value(at, child, *field.node);
  });
}

std::size_t Walk::attributes(std::size_t token, const Spot& spot) {
  Spot child;
  child.parent = &spot;
  child.place.parent = &spot.place;
  child.place.depth = spot.place.depth + 1;
  child.place.types = ValueType::object;
  return each_member(token, [&](std::size_t at, std::string_view key) {
    child.place.key = child.name = key;
    child.place.pii = attribute_pii(key);
    if (child.place.pii == Pii::no) return index_.after(at);
    child.key_signs = rules_.signs_of_key(key);
    return is(at, '{') ? attribute(at, child) : value(at, child, Schema::get().any());
  });
}

// Advanced rules see {"type": …, "value": …}, the others an attribute that is its value.
std::size_t Walk::attribute(std::size_t token, Spot& attribute) {
  if (removed(token, attribute, Asked::advanced)) return index_.after(token);
  Place plain = attribute.place;
  Spot child;
  child.parent = &attribute;
  child.name = "value";
  child.place.parent = &attribute.place;
  child.place.key = "value";
  child.place.pii = attribute.place.pii;
  child.place.depth = attribute.place.depth + 1;
  child.plain = &plain;
  child.key_signs = attribute.key_signs;
  return each_member(token, [&](std::size_t at, std::string_view key) {
    if (key != "value" || at >= index_.size()) return index_.after(at);
    plain.types = basic_type(index_.first(at));
    return value(at, child, Schema::get().any());
  });
}

MetaTree& Walk::meta() {
  if (!meta_) {
    const auto member = root_ && is(*root_, '{') ? find_member(*root_, "_meta") : index_.size();
    if (member < index_.size()) {
      const auto end = index_.end(index_.after(member) - 1);
      meta_.emplace(text_.substr(index_.begin(member), end - index_.begin(member)));
    } else {
      meta_.emplace();
    }
  }
  return *meta_;
}

void Walk::finish_meta(std::size_t root, std::size_t after) {
  if (!meta_ || !meta_->changed() || !is(root, '{')) return;
  const auto member = find_member(root, "_meta");
  if (member < index_.size()) {
    const auto end = index_.end(index_.after(member) - 1);
    edits_.push_back({index_.begin(member), end, meta_->render(), {}});
  } else if (after > root && is(after - 1, '}')) {
    const auto end = index_.begin(after - 1);
    edits_.push_back({end, end, ",\"_meta\":" + meta_->render(), {}});
  }
}

MetaPath Walk::path_of(const Spot& spot) {
  MetaPath path;
  for (const Spot* here = &spot; here->parent != nullptr; here = here->parent) {
    if (!here->in_payload) continue;
    path.push_back(here->place.index ? std::to_string(*here->place.index)
                                     : std::string(here->name));
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace picket::scrub
