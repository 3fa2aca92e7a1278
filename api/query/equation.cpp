#include "api/query/equation.h"

#include "api/query/search_values.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace picket::query {
namespace {

constexpr std::size_t most_bytes = 1000;
constexpr int deepest = 20;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.' || c == ':';
}

}  // namespace

class Equation::Parser {
 public:
  Parser(std::string_view text, Equation& equation) : text_(text), equation_(equation) {}

  std::optional<Error> parse() {
    sum(0);
    if (!error_ && peek() != '\0') fail("unexpected '" + std::string(1, text_[at_]) + "'");
    if (!error_ && equation_.terms_.empty()) fail("it needs a field or a function");
    if (!error_ && operators_ == 0) fail("it needs an operator");
    const auto& terms = equation_.terms_;
    const auto other = [&](const FieldExpression& term) { return term.is_function() != terms.front().is_function(); };
    if (!error_ && std::ranges::any_of(terms, other)) fail("fields and functions cannot be mixed");
    return error_;
  }

 private:
  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  void fail(const std::string& words) {
    if (!error_) error_ = Error{Fault::malformed, "Unable to parse your equation: " + words};
  }
  void push(StepKind kind, double number = 0, std::size_t term = 0) { equation_.steps_.push_back({kind, number, term}); }
  void push_operator(StepKind kind) {
    if (++operators_ > most_operators) fail("it has too many operators");
    push(kind);
  }

  void sum(int depth) {
    product(depth);
    for (char c = peek(); !error_ && (c == '+' || c == '-'); c = peek()) {
      ++at_;
      product(depth);
      push_operator(c == '+' ? StepKind::add : StepKind::subtract);
    }
  }

  void product(int depth) {
    atom(depth);
    for (char c = peek(); !error_ && (c == '*' || c == '/'); c = peek()) {
      ++at_;
      atom(depth);
      push_operator(c == '*' ? StepKind::multiply : StepKind::divide);
    }
  }

  void atom(int depth) {
    if (depth > deepest) return fail("it is nested too deeply");
    const char c = peek();
    if (c == '-') {
      ++at_;
      atom(depth + 1);
      return push(StepKind::negate);
    }
    if (c == '(') {
      ++at_;
      sum(depth + 1);
      if (error_) return;
      if (peek() != ')') return fail("a ')' is missing");
      ++at_;
      return;
    }
    const auto word = take_word();
    if (error_) return;
    if (word.empty()) return fail("a number, a field or a function is missing");
    if (is_digit(word.front())) {
      const auto number = parse_number(word);
      if (!number) return fail("'" + std::string(word) + "' is no number");
      return push(StepKind::number, *number);
    }
    auto term = parse_field_expression(word);
    if (!term) {
      error_ = term.error();
      return;
    }
    push(StepKind::term, 0, index_of(*std::move(term)));
  }

  // A number, a name, tags[…] or function(…), which may have brackets within.
  std::string_view take_word() {
    const auto from = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    if (at_ == from || at_ == text_.size() || (text_[at_] != '(' && text_[at_] != '[')) return text_.substr(from, at_ - from);
    int open = 0;
    bool quoted = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') quoted = !quoted;
      if (quoted) continue;
      if (c == '(' || c == '[') ++open;
      if ((c == ')' || c == ']') && --open == 0) {
        ++at_;
        return text_.substr(from, at_ - from);
      }
    }
    fail("a bracket is not closed");
    return {};
  }

  std::size_t index_of(FieldExpression term) {
    auto& terms = equation_.terms_;
    const auto same = std::ranges::find(terms, term.text, &FieldExpression::text);
    if (same != terms.end()) return static_cast<std::size_t>(same - terms.begin());
    terms.push_back(std::move(term));
    return terms.size() - 1;
  }

  std::string_view text_;
  Equation& equation_;
  std::size_t at_ = 0;
  std::size_t operators_ = 0;
  std::optional<Error> error_;
};

Result<Equation> Equation::parse(std::string_view text) {
  if (text.size() > most_bytes) return Error{Fault::malformed, "Unable to parse your equation: it is too long"};
  Equation equation;
  equation.text_ = text;
  if (auto error = Parser(text.substr(equation_prefix.size()), equation).parse()) return *std::move(error);
  return equation;
}

std::optional<double> Equation::evaluate(std::span<const std::optional<double>> values) const {
  std::vector<double> stack;
  for (const auto& step : steps_) {
    switch (step.kind) {
      case StepKind::number: stack.push_back(step.number); continue;
      case StepKind::term:
        if (!values[step.term]) return std::nullopt;
        stack.push_back(*values[step.term]);
        continue;
      case StepKind::negate: stack.back() = -stack.back(); continue;
      case StepKind::add:
      case StepKind::subtract:
      case StepKind::multiply:
      case StepKind::divide: break;
    }
    const double right = stack.back();
    stack.pop_back();
    double& left = stack.back();
    if (step.kind == StepKind::add) left += right;
    if (step.kind == StepKind::subtract) left -= right;
    if (step.kind == StepKind::multiply) left *= right;
    if (step.kind == StepKind::divide) {
      if (right == 0) return std::nullopt;
      left /= right;
    }
  }
  return std::isfinite(stack.back()) ? std::optional(stack.back()) : std::nullopt;
}

}  // namespace picket::query
