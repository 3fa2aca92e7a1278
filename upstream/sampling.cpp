#include "upstream/sampling.h"

#include "relay/protocol/envelope.h"
#include "upstream/routing.h"

#include <charconv>
#include <cstdint>

namespace picket::upstream {
namespace {

std::uint64_t scramble(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0x9e3779b97f4a7c15U;
  for (const char byte : bytes) hash = scramble(hash ^ static_cast<unsigned char>(byte));
  return hash;
}

}  // namespace

Result<Sampling> Sampling::make(const std::vector<std::pair<std::string, std::string>>& rates) {
  Sampling sampling;
  for (const auto& [word, text] : rates) {
    const auto category = parse_category(word);
    if (!category) return Error{Fault::malformed, "sample_rates: " + category.error().detail};
    double rate = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
    if (error != std::errc() || end != text.data() + text.size() || !(rate >= 0 && rate <= 1)) {
      return Error{Fault::malformed, "sample_rates." + word + " must be a number from \"0\" to \"1\", not \"" + text.substr(0, 100) + "\""};
    }
    if (rate < 1) sampling.rates_[*category] = rate;
  }
  return sampling;
}

double Sampling::rate_of(relay::DataCategory category) const {
  const auto found = rates_.find(category);
  return found == rates_.end() ? 1 : found->second;
}

double number_of_id(std::string_view id) {
  const auto parsed = relay::parse_event_id(id);
  const std::uint64_t hash = parsed ? hash_of(relay::raw_bytes(*parsed)) : hash_of(id);
  return static_cast<double>(hash >> 11U) * 0x1p-53;
}

}  // namespace picket::upstream
