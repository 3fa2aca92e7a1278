#include "api/digest/postings.h"

#include <bit>

namespace picket::digest {
namespace {

constexpr std::size_t most_listed = 255;
constexpr std::size_t bitmap_bytes = posting_block / 8;

unsigned number_at(std::string_view row, std::size_t index) {
  const auto high = static_cast<unsigned char>(row[2 * index]);
  const auto low = static_cast<unsigned char>(row[2 * index + 1]);
  return ((unsigned{high} << 8) | low) % posting_block;  // whatever a damaged row says
}

std::string number_bytes(unsigned number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

// The index of the first number >= `number` in a list.
std::size_t lower_bound(std::string_view row, unsigned number) {
  std::size_t begin = 0;
  std::size_t end = row.size() / 2;
  while (begin < end) {
    const auto middle = (begin + end) / 2;
    if (number_at(row, middle) < number) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

std::string bitmap_of(std::string_view list) {
  std::string bitmap(bitmap_bytes, '\0');
  for (std::size_t i = 0; i < list.size() / 2; ++i) {
    const auto number = number_at(list, i);
    bitmap[number / 8] = static_cast<char>(bitmap[number / 8] | (1 << (number % 8)));
  }
  return bitmap;
}

bool is_set(std::string_view bitmap, unsigned number) {
  return (static_cast<unsigned char>(bitmap[number / 8]) >> (number % 8) & 1U) != 0;
}

}  // namespace

bool add_posting(std::string& row, std::uint64_t issue) {
  const auto number = static_cast<unsigned>(issue % posting_block);
  if (row.size() != bitmap_bytes) {
    const auto index = lower_bound(row, number);
    if (index < row.size() / 2 && number_at(row, index) == number) return false;
    if (row.size() / 2 < most_listed) {
      row.insert(2 * index, number_bytes(number));
      return true;
    }
    row = bitmap_of(row);
  }
  if (is_set(row, number)) return false;
  row[number / 8] = static_cast<char>(row[number / 8] | (1 << (number % 8)));
  return true;
}

bool remove_posting(std::string& row, std::uint64_t issue) {
  const auto number = static_cast<unsigned>(issue % posting_block);
  if (row.size() == bitmap_bytes) {
    if (!is_set(row, number)) return false;
    row[number / 8] = static_cast<char>(row[number / 8] & ~(1 << (number % 8)));
    if (row.find_first_not_of('\0') == std::string::npos) row.clear();
    return true;
  }
  const auto index = lower_bound(row, number);
  if (index >= row.size() / 2 || number_at(row, index) != number) return false;
  row.erase(2 * index, 2);
  return true;
}

void read_postings(std::string_view key, std::string_view row, std::vector<std::uint64_t>& issues) {
  if (key.size() < 8) return;
  const auto first = buffer::KeyReader(key.substr(key.size() - 8)).u64() * posting_block;
  if (row.size() != bitmap_bytes) {
    for (std::size_t i = 0; i < row.size() / 2; ++i)
      issues.push_back(first + number_at(row, i));
    return;
  }
  for (std::size_t i = 0; i < bitmap_bytes; ++i) {
    for (unsigned bits = static_cast<unsigned char>(row[i]); bits != 0; bits &= bits - 1) {
      issues.push_back(first + i * 8 + static_cast<unsigned>(std::countr_zero(bits)));
    }
  }
}

void remove_posting(buffer::Batch& batch,
                    std::uint64_t project,
                    std::string_view tag,
                    std::uint64_t issue) {
  const auto key = posting_key(project, tag, issue);
  const auto stored = batch.get(buffer::Table::issues_by_tag, key);
  if (!stored) return;
  std::string row(*stored);
  if (!remove_posting(row, issue)) return;
  if (row.empty()) {
    batch.remove(buffer::Table::issues_by_tag, key);
  } else {
    batch.put(buffer::Table::issues_by_tag, key, row);
  }
}

}  // namespace picket::digest
