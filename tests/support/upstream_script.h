// A few words that say how a fake upstream answers, request after request:
//
//   script := step { "then" step }
//   step   := [ "every" N ":" ] reply { option } [ "for" DURATION | "x" N ]
//   reply  := STATUS | "html" | "reset" | "cut" | "stall"
//   option := "delay=" DURATION | "retry-after=" TEXT | "limits=" TEXT
//
// "500 for 10s then 200", "503 x 3 then 429 retry-after=5 x 1 then 200", "every 50: 503". A step
// without `for` and `x` is the last and stays; what `every` leaves out, and what comes after the last
// step, is answered 200. Time starts with the first request.
#pragma once

#include "support/fake_upstream.h"

#include <optional>
#include <string_view>

namespace picket::testing {

std::optional<FakeUpstream::Rule> parse_upstream_script(std::string_view text);

}  // namespace picket::testing
