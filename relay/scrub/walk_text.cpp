// The parts of a walk that look into texts: plain ones, paths, URLs, queries and cookies, bodies.

#include "relay/protocol/hex.h"
#include "relay/protocol/json_object.h"
#include "relay/scrub/walk.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace picket::scrub {
namespace {

constexpr auto npos = std::string_view::npos;

// Texts that stand for other values are no secrets.
bool is_placeholder(std::string_view text) {
  constexpr auto words =
      std::to_array<std::string_view>({"", "true", "false", "null", "undefined"});
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const auto high = relay::hex_digit(text[i + 1]);
      const auto low = relay::hex_digit(text[i + 2]);
      if (high && low) {
        out += static_cast<char>(*high << 4U | *low);
        i += 2;
        continue;
      }
    }
    out += text[i] == '+' ? ' ' : text[i];
  }
  return out;
}

// What would end the value, or is not ASCII, percent-encoded; brackets stay for people to read.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view kept = "-._~[]*/:@!(),'";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool alnum = (fold(c) >= 'a' && fold(c) <= 'z') || (c >= '0' && c <= '9');
    if (alnum || kept.find(c) != npos) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// The earlier remarks that an edit of the whole value does not replace.
std::vector<Remark> without_range(const std::vector<Remark>& remarks) {
  std::vector<Remark> kept;
  std::copy_if(remarks.begin(), remarks.end(), std::back_inserter(kept),
               [](const Remark& remark) { return !remark.range; });
  return kept;
}

bool looks_like_query(std::string_view text) {
  return text.find('=') != npos && text.find_first_of(" \n{<\"") == npos;
}

}  // namespace

Signs Walk::signs_of_key(std::string_view key, Pii pii) const {
  if (pii == Pii::no) return 0;
  return rules_.touches(pii) || rules_.is_keyed(key) ? rules_.signs_of_key(key) : sign_anything;
}

Signs Walk::signs_of(std::string_view text, const Spot& spot) const {
  return spot.key_signs | rules_.signs_of_text(text);
}

// Whether it is worth to read a text there.
bool Walk::may_touch(const Spot& spot) const {
  return rules_.touches(spot.place.pii) || rules_.is_keyed(spot.place.key) ||
         (spot.plain != nullptr && rules_.is_keyed(spot.plain->key));
}

bool Walk::may_match(const Spot& spot, Signs signs) const {
  return rules_.may_match(spot.place.pii, spot.place.key, signs) ||
         (spot.plain != nullptr && rules_.may_match(spot.place.pii, spot.plain->key, signs));
}

Effect Walk::apply(
    const Spot& spot, Signs signs, Redacted* text, Remark& removal, Asked asked) const {
  auto effect = Effect::none;
  for (const auto& application : rules_.applications()) {
    if ((application.signs & signs) == 0 || (asked == Asked::advanced && !application.advanced))
      continue;
    const auto& place = spot.seen_by(application);
    if (application.keyed && !rules_.is_keyed(place.key)) continue;
    if (!application.selector.matches(place)) continue;
    const auto key = place.index ? std::string_view() : place.key;
    for (const auto& rule : application.rules) {
      if ((rule.signs & signs) == 0) continue;
      if (text == nullptr ? removes_value(rule, key) : text->apply(rule, key) == Effect::removed) {
        removal = {rule.origin, 'x', std::nullopt};
        return Effect::removed;
      }
    }
    effect = Effect::changed;
  }
  return effect;
}

bool Walk::removed(std::size_t token, const Spot& spot, Asked asked) {
  if (spot.place.pii == Pii::no || !may_match(spot, spot.key_signs)) return false;
  const auto after = index_.after(token);
  if (after > index_.size() || after <= token) return false;
  Remark removal;
  if (apply(spot, spot.key_signs | sign_anything, nullptr, removal, asked) != Effect::removed)
    return false;
  remove(index_.begin(token), index_.end(after - 1), spot, removal);
  return true;
}

bool Walk::text(std::size_t token, const Spot& spot, Asked asked) {
  if (spot.place.pii == Pii::no || !may_touch(spot)) return false;
  const auto content = index_.content(token);
  if (content.empty()) return false;
  std::string buffer;
  const auto before = unescaped(content, buffer);
  const auto signs = signs_of(before, spot);
  if (!may_match(spot, signs) || is_placeholder(before)) return false;
  const auto earlier = earlier_remarks(spot);
  Redacted redacted(before, earlier);
  Remark removal;
  const auto effect = apply(spot, signs, &redacted, removal, asked);
  if (effect == Effect::none) return false;
  if (effect == Effect::removed) {
    remove(index_.begin(token), index_.end(token), spot, removal);
    return true;
  }
  const auto after = redacted.text();
  if (after == before) return false;
  auto remarks = without_range(earlier);
  for (auto& remark : redacted.remarks())
    remarks.push_back(std::move(remark));
  replace(token, spot, after, std::move(remarks), before);
  return true;
}

void Walk::path(std::size_t token, const Spot& spot) {
  if (spot.place.pii == Pii::no || !may_touch(spot)) return;
  std::string buffer;
  const auto before = decoded(token, buffer);
  const auto slash = before.find_last_of("/\\");
  if (slash == npos) return;
  const auto folder = before.substr(0, slash);
  const auto signs = signs_of(folder, spot);
  if (!may_match(spot, signs)) return;
  const auto earlier = earlier_remarks(spot);
  Redacted redacted(folder, earlier);
  Remark removal;
  const auto effect = apply(spot, signs, &redacted, removal, Asked::all);
  if (effect == Effect::none) return;
  auto remarks = without_range(earlier);
  if (effect == Effect::removed) {
    removal.range = Span{0, 0};
    remarks.push_back(removal);
    replace(token, spot, std::string(before.substr(slash + 1)), std::move(remarks), before);
    return;
  }
  const auto after = redacted.text() + std::string(before.substr(slash));
  if (after == before) return;
  for (auto& remark : redacted.remarks())
    remarks.push_back(std::move(remark));
  replace(token, spot, after, std::move(remarks), before);
}

// Nothing when the text stays as it is.
std::optional<Redacted> Walk::redact_part(std::string_view key,
                                          std::string_view text,
                                          const Spot& spot) const {
  if (is_placeholder(text)) return std::nullopt;
  Spot part;
  part.parent = &spot;
  part.place = {&spot.place,         key, std::nullopt, ValueType::string, spot.place.pii,
                spot.place.depth + 1};
  part.key_signs = rules_.signs_of_key(key);
  const auto signs = signs_of(text, part);
  if (!may_match(part, signs)) return std::nullopt;
  Redacted redacted(text, {});
  Remark removal;
  const auto effect = apply(part, signs, &redacted, removal, Asked::all);
  if (effect == Effect::removed) return Redacted(removal);
  if (effect == Effect::none || redacted.text() == text) return std::nullopt;
  return redacted;
}

// Replaces values of key=value in a text; `out` is the text after it.
bool Walk::scrub_assignments(std::string_view text,
                             const Spot& spot,
                             char separator,
                             const std::vector<Remark>& earlier,
                             std::string& out,
                             std::vector<Remark>& remarks) const {
  bool changed = false;
  std::size_t at = 0;
  while (at <= text.size()) {
    auto end = text.find(separator, at);
    if (end == npos) end = text.size();
    const auto part = text.substr(at, end - at);
    const auto equals = part.find('=');
    std::optional<Redacted> redacted;
    const bool done = std::any_of(earlier.begin(), earlier.end(), [&](const Remark& remark) {
      return remark.range && remark.range->begin >= at && remark.range->end <= end;
    });
    if (equals != npos && !done) {
      const auto key = separator == ';' ? std::string(trimmed(part.substr(0, equals)))
                                        : percent_decoded(part.substr(0, equals));
      redacted = redact_part(key, percent_decoded(part.substr(equals + 1)), spot);
    }
    if (redacted) {
      changed = true;
      out += part.substr(0, equals + 1);
      const auto value = percent_encoded(redacted->text());
      auto found = redacted->remarks();
      if (!found.empty()) {
        found.front().range = Span{out.size(), out.size() + value.size()};
        remarks.push_back(std::move(found.front()));
      }
      out += value;
    } else {
      out += part;
    }
    if (end == text.size()) break;
    out += separator;
    at = end + 1;
  }
  return changed;
}

void Walk::assignments(std::size_t token, const Spot& spot, char separator) {
  if (text(token, spot, Asked::advanced)) return;
  std::string buffer;
  const auto before = decoded(token, buffer);
  if (before.empty()) return;
  // To selectors, the whole is a list of pairs.
  Spot list = spot;
  list.place.types = ValueType::array;
  if (removed(token, list)) return;
  const std::size_t mark = before.starts_with('?') ? 1 : 0;
  const auto scrubbed = [&](const std::vector<Remark>& earlier, std::vector<Remark>& remarks) {
    std::string after(before.substr(0, mark));
    const bool changed = scrub_assignments(before.substr(mark), list, separator,
                                           mark == 0 ? earlier : std::vector<Remark>(), after, remarks);
    return changed ? std::optional(std::move(after)) : std::nullopt;
  };
  // Earlier remarks only keep parts from changing, and looking for them costs a pass over the item.
  std::vector<Remark> unused;
  if (!scrubbed({}, unused)) return;
  const auto earlier = earlier_remarks(spot);
  auto remarks = without_range(earlier);
  if (const auto after = scrubbed(earlier, remarks))
    replace(token, spot, *after, std::move(remarks), before);
}

// The query and the fragment have places of their own, beside the URL's.
void Walk::url(std::size_t token, const Spot& spot) {
  if (text(token, spot)) return;
  std::string buffer;
  const auto before = decoded(token, buffer);
  const auto hash = std::min(before.find('#'), before.size());
  const auto question = std::min(before.find('?'), hash);
  if (question == before.size()) return;
  Spot query = spot;
  query.place.key = "query_string";
  query.place.pii = Pii::yes;
  query.place.types = ValueType::array;
  std::vector<Remark> found;
  std::string after(before.substr(0, question));
  bool changed = false;
  if (question < hash) {
    after += '?';
    changed = scrub_assignments(before.substr(question + 1, hash - question - 1), query, '&', {},
                                after, found);
  }
  if (hash < before.size()) {
    Spot parent = spot;
    parent.place = *spot.place.parent;
    parent.place.pii = Pii::yes;
    after += '#';
    const auto fragment = redact_part("fragment", before.substr(hash + 1), parent);
    if (fragment) {
      changed = true;
      for (auto& remark : fragment->remarks()) {
        if (remark.range)
          remark.range = Span{remark.range->begin + after.size(), remark.range->end + after.size()};
        found.push_back(std::move(remark));
      }
      after += fragment->text();
    } else {
      after += before.substr(hash + 1);
    }
  }
  if (!changed || after == before) return;
  auto remarks = without_range(earlier_remarks(spot));
  std::move(found.begin(), found.end(), std::back_inserter(remarks));
  replace(token, spot, after, std::move(remarks), before);
}

// A request's or response's body: JSON, a form, or just text.
void Walk::body(std::size_t token, const Spot& spot) {
  std::string buffer;
  const auto before = decoded(token, buffer);
  const auto content = before.find_first_not_of(" \t\r\n");
  if (content == npos) return;
  if ((before[content] == '{' || before[content] == '[') && spare_ != nullptr) {
    if (text(token, spot, Asked::advanced) || inner_json(token, spot, before)) return;
  } else if (looks_like_query(before)) {
    assignments(token, spot, '&');
    return;
  }
  text(token, spot);
}

// True: the text is JSON, and what is sensitive in it is gone.
bool Walk::inner_json(std::size_t token, const Spot& spot, std::string_view json) {
  if (!spare_->build(json) || !relay::is_json(json)) return false;
  Walk walk(rules_, json, *spare_, nullptr);
  walk.walk_inner(0, spot);
  if (walk.edits().empty()) return true;
  const auto after = render_edits(json, walk.edits());
  auto remarks = without_range(earlier_remarks(spot));
  std::size_t shift = 0;  // how far the text has moved, modulo its size type
  for (auto& edit : walk.edits()) {
    const auto begin = edit.begin + shift;
    if (!edit.remarks.empty())
      remarks.push_back({edit.remarks.front().rule, edit.remarks.front().type,
                         Span{begin, begin + edit.replacement.size()}});
    shift += edit.replacement.size() - (edit.end - edit.begin);
  }
  replace(token, spot, after, std::move(remarks), json);
  return true;
}

std::vector<Remark> Walk::earlier_remarks(const Spot& spot) {
  if (!root_) return {};
  return meta().remarks_at(path_of(spot));
}

void Walk::replace(std::size_t token,
                   const Spot& spot,
                   const std::string& text,
                   std::vector<Remark> remarks,
                   std::string_view before) {
  if (root_) meta().set(path_of(spot), remarks, characters_of(before));
  edits_.push_back({index_.begin(token), index_.end(token), relay::render_json_string(text),
                    std::move(remarks)});
}

void Walk::remove(std::size_t begin, std::size_t end, const Spot& spot, const Remark& removal) {
  if (root_) {
    const auto path = path_of(spot);
    auto remarks = meta().remarks_at(path);
    remarks.push_back(removal);
    meta().set(path, remarks, std::nullopt);
  }
  edits_.push_back({begin, end, "null", {removal}});
}

}  // namespace picket::scrub
