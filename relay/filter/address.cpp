#include "relay/filter/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace picket::filter {
namespace {

constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Error malformed(std::string_view text) {
  return Error{Fault::malformed,
               "\"" + std::string(text.substr(0, 60)) + "\" is no IP address or network"};
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  text = text.substr(0, text.find('%'));
  if (text.empty() || text.size() > 45) return std::nullopt;
  const std::string ended(text);
  Address address;
  if (inet_pton(AF_INET6, ended.c_str(), address.bytes.data()) == 1) return address;
  std::copy(mapped.begin(), mapped.end(), address.bytes.begin());
  if (inet_pton(AF_INET, ended.c_str(), address.bytes.data() + mapped.size()) == 1) return address;
  return std::nullopt;
}

bool is_loopback(const Address& address) {
  static const auto v4 = *parse_network("127.0.0.0/8");
  static const auto v6 = *parse_network("::1");
  return v4.contains(address) || v6.contains(address);
}

bool Network::contains(const Address& one) const {
  const auto whole = bits / 8;
  if (std::memcmp(address.bytes.data(), one.bytes.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xffU << (8 - bits % 8));
  return (address.bytes.at(whole) & mask) == (one.bytes.at(whole) & mask);
}

Result<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return malformed(text);
  Network network{*address, 128};
  if (slash == std::string_view::npos) return network;
  const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const auto digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc() || end != digits.data() + digits.size() || bits > (v4 ? 32U : 128U))
    return malformed(text);
  network.bits = v4 ? bits + 96 : bits;
  return network;
}

}  // namespace picket::filter
