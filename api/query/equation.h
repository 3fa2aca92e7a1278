// Arithmetic over the columns of an answer: `equation|count_if(size,greater,1) / count() * 100`.
//
//   sum  = product { ("+" | "-") product } ;  product = atom { ("*" | "/") atom }
//   atom = ["-"] ( number | field | function | "(" sum ")" )
//
// Its terms are all fields or all functions. What is divided by zero or lacks a term has no value.
//
// THREADS  An Equation is immutable once parsed.
#pragma once

#include "api/query/field_expression.h"
#include "buffer/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

constexpr std::string_view equation_prefix = "equation|";
constexpr std::size_t most_operators = 10;

class Equation {
 public:
  // REQUIRES: the text begins with `equation_prefix`. Fault::malformed with the words for a 400.
  static Result<Equation> parse(std::string_view text);

  const std::string& text() const { return text_; }  // as it was asked for
  const std::vector<FieldExpression>& terms() const { return terms_; }  // each once
  bool of_functions() const { return terms_.front().is_function(); }
  // REQUIRES: the values of terms(), in their order.
  std::optional<double> evaluate(std::span<const std::optional<double>> values) const;

 private:
  enum class StepKind : std::uint8_t { number, term, negate, add, subtract, multiply, divide };
  struct Step {
    StepKind kind = StepKind::number;
    double number = 0;
    std::size_t term = 0;
  };
  class Parser;

  std::string text_;
  std::vector<FieldExpression> terms_;
  std::vector<Step> steps_;  // in the order of a stack machine
};

}  // namespace picket::query
