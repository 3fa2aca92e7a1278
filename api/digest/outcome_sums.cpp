#include "api/digest/outcome_sums.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>

namespace picket::digest {

std::int64_t hour_of(Time time) {
  constexpr std::int64_t hour_ms = 3'600'000;
  const auto ms = to_ms(time);
  return ms < 0 ? 0 : ms - ms % hour_ms;
}

std::array<char, 16> outcome_key(std::string_view raw) {
  std::array<char, 16> key{};
  if (raw.size() == key.size()) std::ranges::copy(raw, key.begin());
  return key;
}

std::string clean_reason(std::string_view reason) {
  std::string clean;
  for (const char c : reason.substr(0, 200)) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    clean += word || std::string_view("_.:;,/ -").find(c) != std::string_view::npos ? c : '_';
  }
  return clean;
}

void OutcomeSums::add(OutcomeOf of, std::uint64_t quantity) {
  constexpr std::size_t most = 10'000;
  if (quantity == 0) return;
  if (const auto found = sums_.find(of); found != sums_.end()) {
    found->second += quantity;
    return;
  }
  if (sums_.size() >= most) of.reason = "other";
  sums_[std::move(of)] += quantity;
}

void OutcomeSums::reject(std::uint64_t project, std::string_view reason) {
  const std::map<OutcomeOf, std::uint64_t> before = std::move(sums_);
  sums_.clear();
  for (const auto& [of, quantity] : before) {
    OutcomeOf changed = of;
    if (of.project == project && of.outcome == relay::Outcome::accepted) {
      changed.outcome = relay::Outcome::invalid;
      changed.reason = reason;
    }
    sums_[changed] += quantity;
  }
}

void OutcomeSums::write(buffer::Batch& batch) const {
  for (const auto& [of, quantity] : sums_) {
    const auto key = buffer::Key()
                         .u64(of.project)
                         .u64(static_cast<std::uint64_t>(of.hour_ms))
                         .u8(static_cast<std::uint8_t>(of.category))
                         .u8(static_cast<std::uint8_t>(of.outcome))
                         .text(of.reason)
                         .raw({of.key.data(), of.key.size()});
    auto row = buffer::find_row<schema::Count>(batch, buffer::Table::outcomes, key)
                   .value_or(schema::Count());
    row.set_quantity(row.quantity() + quantity);
    buffer::put_row(batch, buffer::Table::outcomes, key, row);
  }
}

std::uint64_t OutcomeSums::quantity(relay::Outcome outcome) const {
  std::uint64_t sum = 0;
  for (const auto& [of, quantity] : sums_)
    sum += of.outcome == outcome ? quantity : 0;
  return sum;
}

}  // namespace picket::digest
