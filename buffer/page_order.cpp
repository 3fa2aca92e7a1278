#include "buffer/page_order.h"

#include <string_view>

namespace picket::buffer {
namespace {

constexpr std::string_view value_key = "page_order";
constexpr std::uint64_t value_pages = 64;  // more than most values have
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t page_header = 16;

constexpr std::uint64_t share = 16;             // of what is written, for the value and for the list, which is written again
constexpr std::uint64_t most_list_pages = 512;  // a gigabyte of free pages: to look through more takes too long

}  // namespace

bool PageOrder::due(std::uint64_t transaction) const {
  if (const auto free_in = place_free_in_.load(); free_in != 0) return transaction >= free_in;
  const auto list = list_pages_.load();
  return list <= most_list_pages && given_up_ >= share * (value_pages + list);
}

// What became of the transaction is not asked: a value that is still there, or is not, only costs once.
Result<void> PageOrder::turn(WriteTxn& txn, TableHandle meta) {
  if (place_free_in_ != 0) {
    place_free_in_ = 0;
    return txn.put_zeros(meta, value_key, value_pages * page_bytes - page_header);
  }
  given_up_ = 0;
  place_free_in_ = txn.number() + 2;
  if (auto removed = txn.remove(meta, value_key); !removed) return removed.error();
  return {};
}

void PageOrder::note_commit(const Env& env, std::uint64_t transaction) {
  const auto free = env.free_pages(transaction);
  given_up_ += free.given_up;
  list_pages_ = free.list_pages;
}

}  // namespace picket::buffer
