#include "api/query/search.h"

#include "api/query/search_filters.h"

#include <utility>

namespace picket::query {
namespace {

constexpr auto nowhere = std::string_view::npos;

// Reads terms in one pass. What may be tried twice (a filter, parentheses within text) is remembered.
class TreeReader {
 public:
  TreeReader(std::string_view text, const SearchLanguage& language, Time now)
      : text_(text), filters_(text, language, now), is_filter_(text.size() + 1), parentheses_(text.size() + 1) {}

  Result<SearchTree> read() {
    SearchTree tree;
    add_spaces(tree.nodes);
    read_terms(tree.nodes, 0);
    if (!error_ && at_ < text_.size()) fail_here();
    if (error_) return *error_;
    tree.steps = steps_;
    return tree;
  }

 private:
  void fail(std::size_t at, std::string_view words) {
    if (!error_) error_ = search_error(text_, at, words);
  }
  void fail_here() {
    if (text_[at_] == '\n') return fail(at_, "A line break has to stand within quotes.");
    if (text_[at_] == ')') return fail(at_, "Unmatched ')' in the query; put text with parentheses in quotes.");
    fail(at_, "The query cannot be read here; put text in quotes.");
  }

  std::size_t spaces_end(std::size_t at) const {
    while (at < text_.size() && text_[at] == ' ') ++at;
    return at;
  }
  void add_spaces(std::vector<SearchNode>& nodes) {
    SearchNode node;
    node.at = at_;
    at_ = node.end = spaces_end(at_);
    node.text = text_.substr(node.at, node.end - node.at);
    nodes.push_back(std::move(node));
  }

  // The length of AND or OR when one stands there alone.
  std::size_t logic_at(std::size_t at) const {
    for (const std::string_view word : {"OR", "AND"}) {
      if (text_.size() - at < word.size() || !at_value_end(text_, at + word.size())) continue;
      bool same = true;
      for (std::size_t i = 0; i < word.size(); ++i) same = same && (text_[at + i] & ~0x20) == word[i];
      if (same) return word.size();
    }
    return 0;
  }

  bool filter_at(std::size_t at) {
    auto& known = is_filter_[at];
    if (known == 0) {
      ++steps_;
      known = filters_.read(at) ? 2 : 1;
    }
    return known == 2;
  }

  void read_terms(std::vector<SearchNode>& nodes, std::size_t depth) {
    while (!error_ && at_ < text_.size() && text_[at_] != ')') {
      if (++terms_ > most_query_terms) return fail(at_, "The query has more than 200 terms.");
      ++steps_;
      if (!read_term(nodes, depth)) return;
      add_spaces(nodes);
    }
  }

  bool read_term(std::vector<SearchNode>& nodes, std::size_t depth) {
    SearchNode node;
    node.at = at_;
    if (const auto length = logic_at(at_); length != 0) {
      node.kind = NodeKind::logic;
      node.text = length == 2 ? "OR" : "AND";
      at_ += length;
    } else if (text_[at_] == '(' && !text_.substr(at_).starts_with("()")) {
      return read_group(nodes, depth);
    } else if (filter_at(at_)) {
      node = *filters_.read(at_);
      at_ = node.end;
    } else if (const auto close = filters_.keys().closing_quote(at_); close != nowhere) {
      node.kind = NodeKind::free_text;
      node.quoted = true;
      node.text = text_.substr(at_ + 1, close - at_ - 1);
      node.invalid = filters_.check_free_text(node.text);
      at_ = close + 1;
    } else {
      const auto end = text_end(at_, depth);
      if (end == at_) return false;
      node.kind = NodeKind::free_text;
      node.text = text_.substr(at_, end - at_);
      node.invalid = filters_.check_free_text(node.text);
      at_ = end;
    }
    node.end = at_;
    nodes.push_back(std::move(node));
    return true;
  }

  bool read_group(std::vector<SearchNode>& nodes, std::size_t depth) {
    SearchNode group;
    group.kind = NodeKind::group;
    group.at = at_;
    if (depth == deepest_query) return fail(at_, "The query is nested more than 60 deep."), false;
    ++at_;
    add_spaces(group.inner);
    read_terms(group.inner, depth + 1);
    if (error_) return false;
    if (at_ >= text_.size()) {
      return fail(group.at, "Unmatched '(' in the query; put text with parentheses in quotes."), false;
    }
    if (text_[at_] != ')') return false;
    if (group.inner.size() == 1) return fail(group.at, "There is nothing between these parentheses."), false;
    group.end = ++at_;
    nodes.push_back(std::move(group));
    return true;
  }

  // Behind the words, and the parentheses with words, that stand there; before what is a term itself.
  std::size_t text_end(std::size_t at, std::size_t depth) {
    while (at < text_.size() && logic_at(at) == 0 && !filter_at(at)) {
      ++steps_;
      auto end = at;
      if (text_[at] == '(') {
        end = parentheses_end(at, depth);
        if (end == nowhere) break;
      } else {
        while (end < text_.size() && text_[end] != '(' && text_[end] != ')' && text_[end] != '\n' && text_[end] != ' ') ++end;
        if (end == at) break;
      }
      at = spaces_end(end);
    }
    return at;
  }

  // Behind "(text)", or nowhere when something else is between the parentheses.
  std::size_t parentheses_end(std::size_t at, std::size_t depth) {
    auto& known = parentheses_[at];
    if (known == 0) {
      if (depth == deepest_query) return fail(at, "The query is nested more than 60 deep."), nowhere;
      ++steps_;
      const auto close = filters_.keys().closing_quote(at + 1);
      const auto end = close != nowhere ? close + 1 : text_end(at + 1, depth + 1);
      known = end < text_.size() && text_[end] == ')' ? end + 1 : nowhere;
    }
    return known;
  }

  std::string_view text_;
  FilterReader filters_;
  std::vector<std::uint8_t> is_filter_;    // by place: 0 not known, 1 no, 2 yes
  std::vector<std::size_t> parentheses_;  // by place: 0 not known
  std::size_t at_ = 0;
  std::size_t terms_ = 0;
  std::size_t steps_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Error search_error(std::string_view text, std::size_t at, std::string_view words) {
  std::size_t column = 1;
  for (const char c : text.substr(0, at)) column += (c & 0xc0) != 0x80 ? 1 : 0;
  return Error{Fault::malformed, std::string(words) + " (column " + std::to_string(column) + ")"};
}

Result<SearchTree> parse_search(std::string_view text, const SearchLanguage& language, Time now) {
  if (text.size() > most_query_bytes) return search_error(text, most_query_bytes, "The query is longer than 4096 bytes.");
  return TreeReader(text, language, now).read();
}

}  // namespace picket::query
