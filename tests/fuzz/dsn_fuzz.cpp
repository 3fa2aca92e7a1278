// DSNs: what parses is rendered to a text that parses to the same, and has nothing in it that a
// header line or a URL could not hold.

#include "fuzz/invariant.h"
#include "relay/protocol/dsn.h"

#include <algorithm>

namespace picket::relay {

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::as_text(bytes, size);
  const auto dsn = parse_dsn(text);
  if (!dsn) {
    check(!dsn.error().detail.empty(), "an error has words");
    return 0;
  }
  check(dsn->project > 0, "a project id is positive");
  check(!dsn->host.empty(), "a DSN has a host");
  const auto rendered = render_dsn(*dsn);
  const auto reread = parse_dsn(rendered);
  check(static_cast<bool>(reread), "a rendered DSN parses");
  check(render_dsn(*reread) == rendered, "a rendered DSN is read back");
  check(reread->key == dsn->key && reread->project == dsn->project && reread->port == dsn->port,
        "the parts stay");
  check(std::all_of(rendered.begin(), rendered.end(), [](char c) { return c > ' ' && c < '\x7f'; }),
        "a DSN is visible ASCII");
  check(project_key_from_raw(raw_bytes(dsn->key)).operator*() == dsn->key,
        "a key goes through its raw bytes");
  return 0;
}

}  // namespace picket::relay
