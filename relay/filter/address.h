// IP addresses and networks: "192.0.2.7", "10.0.0.0/8", "2001:db8::/32".
#pragma once

#include "buffer/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::filter {

// An IPv4 address is held as the IPv6 address that maps it, so that both spellings are one.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const Address&, const Address&) = default;
};
std::optional<Address> parse_address(std::string_view text);  // brackets and zones are taken off
bool is_loopback(const Address& address);

struct Network {
  Address address;
  unsigned bits = 128;  // of the IPv6 form
  bool contains(const Address& one) const;
};
Result<Network> parse_network(std::string_view text);

}  // namespace picket::filter
