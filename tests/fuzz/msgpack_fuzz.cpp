// MessagePack: what is read is JSON, no larger than allowed by much, and progress is made.

#include "fuzz/invariant.h"
#include "relay/protocol/json_object.h"
#include "relay/protocol/msgpack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using picket::fuzz::check;
  using namespace picket::relay;
  const auto input = picket::fuzz::as_text(bytes, size);
  constexpr std::size_t most = 10'000;
  auto rest = input;
  const auto json = read_msgpack(rest, most);
  if (json) {
    check(picket::fuzz::lies_inside(rest, input) && rest.size() < input.size(), "a value takes bytes");
    check(json->size() <= most + 6 * input.size() + 10, "the JSON is bounded");
    const auto wrapped = "{\"v\":" + *json + "}";
    JsonObjectReader reader(wrapped);
    while (reader.next()) {
    }
    check(!reader.failure(), "what is read is JSON");
  }
  for (const auto& value : read_msgpack_stream(input, most)) check(!value.empty(), "a value is something");
  return 0;
}
