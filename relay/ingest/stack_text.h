// Stack traces as languages print them, read line by line into frames. OpenTelemetry carries an
// exception's stack as such a text.
//
//   Java, Kotlin  at shop.Cart.add(Cart.java:12)
//   JavaScript    at add (/app/cart.js:12:7)      add@https://shop.example/cart.js:12:7
//   .NET          at Shop.Cart.Add(Int32 n) in /app/Cart.cs:line 12
//   Python        File "/app/cart.py", line 12, in add        and the line of source below
//   Ruby          /app/cart.rb:12:in `add'
//   PHP           #0 /app/cart.php(12): Cart->add()
//   Go            shop.(*Cart).Add(0x1, …)        and below it    /app/cart.go:12 +0x1d
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

// Views into the text; "" and 0 for what a line does not say.
struct StackLine {
  std::string_view function;
  std::string_view module;
  std::string_view path;
  std::string_view source;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// Oldest call first, as Sentry has it; the newest 250. Of several traces in one text (causes) only
// that of the exception itself. Lines that are none of the above are passed over.
std::vector<StackLine> parse_stack_text(std::string_view text);

// Sentry's `[{"function":…}, …]`.
std::string render_frames(const std::vector<StackLine>& frames);

}  // namespace picket::ingest
