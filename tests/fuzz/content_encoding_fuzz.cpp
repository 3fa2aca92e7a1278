// Content codings: decoding never passes its limit, the limit is exact, and what was encoded here
// is decoded to the same. The input's first byte chooses the codings; the rest is the body.

#include "fuzz/invariant.h"
#include "relay/protocol/content_encoding.h"

namespace picket::relay {

using fuzz::check;

namespace {

constexpr std::size_t limit = 200'000;

void check_decoding(std::string_view body, const std::vector<Coding>& codings) {
  const auto decoded = decode(body, codings, limit);
  if (!decoded) {
    check(decoded.error().fault != Fault::unavailable, "bad input is never a reason to try again");
    return;
  }
  check(decoded->size() <= limit, "decoding stops at the limit");
  if (codings.size() != 1) return;
  check(static_cast<bool>(decode(body, codings, decoded->size())),
        "a limit of the exact size suffices");
  if (decoded->empty()) return;
  const auto refused = decode(body, codings, decoded->size() - 1);
  check(!refused && refused.error().fault == Fault::too_large, "a limit one byte lower does not");
}

void check_round_trip(std::string_view text, int level) {
  const auto gzip = decode(encode_gzip(text, level), Coding::gzip, text.size());
  check(gzip && *gzip == text, "gzip restores what it was given");
  const auto zstd = decode(encode_zstd(text, level), Coding::zstd, text.size());
  check(zstd && *zstd == text, "zstd restores what it was given");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const auto choice = bytes[0];
  const auto body = fuzz::as_text(bytes + 1, size - 1);
  std::vector<Coding> codings{static_cast<Coding>(choice % 5)};
  if (choice >= 100) codings.push_back(static_cast<Coding>(choice / 5 % 5));
  check_decoding(body, codings);
  if (choice % 16 == 0) check_round_trip(body, choice % 4);
  return 0;
}

}  // namespace picket::relay
