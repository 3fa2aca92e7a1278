#include "api/digest/user_set.h"

#include "buffer/keys.h"
#include "relay/protocol/md5.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace picket::digest {
namespace {

constexpr std::size_t most_exact = 256;
constexpr int index_bits = 12;
constexpr std::size_t register_count = std::size_t{1} << index_bits;

}  // namespace

UserSet::UserSet(const schema::UserSet& row) {
  if (row.registers().size() == register_count) {
    registers_ = row.registers();
    return;
  }
  buffer::KeyReader reader(row.hashes());
  const auto count = std::min(row.hashes().size() / 8, most_exact);
  for (std::size_t i = 0; i < count; ++i)
    exact_.push_back(reader.u64());
}

bool UserSet::add(std::uint64_t user) {
  if (!registers_.empty()) return add_to_registers(user);
  const auto at = std::ranges::lower_bound(exact_, user);
  if (at != exact_.end() && *at == user) return false;
  exact_.insert(at, user);
  if (exact_.size() > most_exact) spill();
  return true;
}

bool UserSet::add_to_registers(std::uint64_t user) {
  const auto index = static_cast<std::size_t>(user >> (64 - index_bits));
  const auto rest = user << index_bits;
  const int rank = std::min(std::countl_zero(rest), 64 - index_bits) + 1;
  auto& stored = registers_[index];
  if (static_cast<unsigned char>(stored) >= rank) return false;
  stored = static_cast<char>(rank);
  return true;
}

void UserSet::spill() {
  registers_.assign(register_count, '\0');
  for (const auto user : exact_)
    add_to_registers(user);
  exact_.clear();
}

void UserSet::join(const UserSet& other) {
  for (const auto user : other.exact_)
    add(user);
  if (other.registers_.empty()) return;
  if (registers_.empty()) spill();
  for (std::size_t i = 0; i < register_count; ++i) {
    if (static_cast<unsigned char>(other.registers_[i]) >
        static_cast<unsigned char>(registers_[i]))
      registers_[i] = other.registers_[i];
  }
}

std::uint64_t UserSet::count() const {
  if (registers_.empty()) return exact_.size();
  constexpr auto m = static_cast<double>(register_count);
  double sum = 0;
  std::size_t zeros = 0;
  for (const char stored : registers_) {
    sum += std::ldexp(1.0, -static_cast<int>(static_cast<unsigned char>(stored)));
    zeros += stored == '\0' ? 1U : 0U;
  }
  const double alpha = 0.7213 / (1.0 + 1.079 / m);
  double estimate = alpha * m * m / sum;
  // Few for so many registers: those still empty tell more.
  if (estimate <= 2.5 * m && zeros > 0) estimate = m * std::log(m / static_cast<double>(zeros));
  return static_cast<std::uint64_t>(std::llround(estimate));
}

schema::UserSet UserSet::row() const {
  schema::UserSet row;
  if (!registers_.empty()) {
    row.set_registers(registers_);
    return row;
  }
  buffer::Key hashes;
  for (const auto user : exact_)
    hashes.u64(user);
  row.set_hashes(std::string(hashes.view()));
  return row;
}

std::uint64_t user_hash(std::string_view distinct_id) {
  const auto hash = buffer::KeyReader(raw_bytes(relay::md5_of(distinct_id))).u64();
  return hash == 0 ? 1 : hash;
}

}  // namespace picket::digest
