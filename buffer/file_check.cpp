#include "buffer/file_check.h"

#include "buffer/descriptor.h"

#include <fcntl.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {
namespace {

constexpr std::uint32_t lmdb_magic = 0xBEEFC0DE;
constexpr std::uint32_t lmdb_version = 1;
constexpr std::uint64_t no_page = ~std::uint64_t{0};
constexpr std::size_t page_head_bytes = 16;
constexpr std::size_t node_head_bytes = 8;
constexpr std::size_t tree_bytes = 48;

// Of a page's and of a node's flags.
constexpr unsigned branch_page = 1;
constexpr unsigned leaf_page = 2;
constexpr unsigned overflow_page = 4;
constexpr unsigned meta_page = 8;
constexpr unsigned dirty_page = 0x10;  // left over from memory
constexpr unsigned value_outside = 1;
constexpr unsigned value_is_tree = 2;
// Of a tree's flags those that change how its pages are read; the free tree has integers as keys.
constexpr unsigned form_flags = 0xff;
constexpr unsigned free_tree_form = 8;

template <class Number>
Number load(std::string_view bytes, std::size_t at) {
  Number value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct Tree {
  unsigned form = 0;
  unsigned depth = 0;
  std::uint64_t entries = 0;
  std::uint64_t root = no_page;
};

struct Meta {
  std::size_t page_bytes = 0;
  Tree free;
  Tree main;
  std::uint64_t last_page = 0;
  std::uint64_t transaction = 0;
};

Tree parse_tree(std::string_view bytes) {
  return {load<std::uint16_t>(bytes, 4) & form_flags, load<std::uint16_t>(bytes, 6), load<std::uint64_t>(bytes, 32),
          load<std::uint64_t>(bytes, 40)};
}

std::optional<Meta> parse_meta(std::string_view page) {
  if (page.size() < 152 || (load<std::uint16_t>(page, 10) & meta_page) == 0 ||
      load<std::uint32_t>(page, 16) != lmdb_magic || load<std::uint32_t>(page, 20) != lmdb_version) {
    return std::nullopt;
  }
  Meta meta{.page_bytes = load<std::uint32_t>(page, 40),
            .free = parse_tree(page.substr(40, tree_bytes)),
            .main = parse_tree(page.substr(88, tree_bytes)),
            .last_page = load<std::uint64_t>(page, 136),
            .transaction = load<std::uint64_t>(page, 144)};
  const bool sane = meta.page_bytes >= 512 && meta.page_bytes <= 65536 &&
                    (meta.page_bytes & (meta.page_bytes - 1)) == 0 && meta.last_page >= 1 &&
                    meta.last_page < (std::uint64_t{1} << 40);
  return sane ? std::optional(meta) : std::nullopt;
}

constexpr const char* out_of_order = "a tree's keys are out of order";

Error corrupt(std::string what) {
  return {Fault::corrupt, std::move(what)};
}

// How far the walk through a tree has come.
struct TreeWalk {
  bool of_free_pages = false;
  std::uint64_t entries = 0;
  // What the next key may not be before: the key of a branch, or that of an entry, which it may not be either.
  std::string bound = {};
  bool may_be_bound = true;

  // False when `key` is out of order.
  bool pass(std::string_view key, bool of_entry) {
    if (of_free_pages && key.size() != sizeof(std::uint64_t)) return false;
    const int order = bound.empty() ? 1 : of_free_pages ? compare_numbers(key, bound) : key.compare(bound);
    if (order < (may_be_bound ? 0 : 1)) return false;
    bound = key;
    may_be_bound = !of_entry;
    entries += of_entry ? 1 : 0;
    return true;
  }

  static int compare_numbers(std::string_view left, std::string_view right) {
    const auto a = load<std::uint64_t>(left, 0);
    const auto b = load<std::uint64_t>(right, 0);
    return a < b ? -1 : a > b ? 1 : 0;
  }
};

class FileWalk {
 public:
  static Result<FileWalk> open(const std::filesystem::path& path, int flags) {
    auto file = Descriptor::open(path, flags);
    if (!file) return file.error();
    const auto bytes = file->size();
    if (!bytes) return bytes.error();
    return FileWalk(*std::move(file), *bytes);
  }

  // The meta page at `slot`, when it is one and the file holds all that it describes.
  std::optional<Meta> meta(std::size_t slot) const {
    const auto first = file_.read_at(0, 152);
    const auto other = slot == 0 || !first ? first : second_meta(*first);
    if (!other) return std::nullopt;
    auto meta = parse_meta(*other);
    if (meta && (meta->last_page + 1) * meta->page_bytes > bytes_) return std::nullopt;
    return meta;
  }

  Result<FileUse> check(const Meta& meta) {
    meta_ = meta;
    used_.assign(meta.last_page + 1, false);
    free_pages_.clear();
    if (auto free = check_tree(meta.free, true); !free) return free.error();
    if (auto main = check_tree(meta.main, false); !main) return main.error();
    for (const auto page : free_pages_) {
      if (auto claimed = claim(page, 1); !claimed) return claimed.error();
    }
    return use(meta);
  }

  FileUse use(const Meta& meta) const {
    return {bytes_, (meta.last_page + 1) * meta.page_bytes, meta.main.entries};
  }

  Result<std::string> meta_page(std::size_t slot, const Meta& meta) const {
    return file_.read_at(slot * meta.page_bytes, meta.page_bytes);
  }

  // Puts the good meta page at `slot` over the other one.
  Result<void> keep_only(std::size_t slot, const Meta& meta) const {
    auto page = meta_page(slot, meta);
    if (!page) return page.error();
    const std::uint64_t other = 1 - slot;
    std::memcpy(page->data(), &other, sizeof other);
    if (auto written = file_.write_at(*page, other * meta.page_bytes); !written) return written;
    return file_.sync();
  }

 private:
  FileWalk(Descriptor file, std::uint64_t bytes) : file_(std::move(file)), bytes_(bytes) {}

  // Where the second meta page lies depends on the page size, which the first may no longer tell.
  Result<std::string> second_meta(std::string_view first) const {
    std::size_t page_bytes = load<std::uint32_t>(first, 40);
    if (!parse_meta(first)) page_bytes = 4096;
    return file_.read_at(page_bytes, 152);
  }

  // Each page is in use once: in a tree, as part of a value, or as a free one.
  Result<void> claim(std::uint64_t first, std::uint64_t pages) {
    if (first < 2 || first > meta_.last_page || pages - 1 > meta_.last_page - first) {
      return corrupt("page " + std::to_string(first) + " is out of bounds");
    }
    for (std::uint64_t page = first; page < first + pages; ++page) {
      if (used_[page]) return corrupt("page " + std::to_string(page) + " is in use twice");
      used_[page] = true;
    }
    return {};
  }

  // A page of an earlier state, left by a disk that lost the newer one, is whole in itself: the order of the keys and
  // their number give it away.
  Result<void> check_tree(const Tree& tree, bool of_free_pages) {
    if (tree.form != (of_free_pages ? free_tree_form : 0)) return corrupt("a tree of unknown form");
    if (tree.root == no_page) return {};
    if (tree.depth == 0 || tree.depth > 32) return corrupt("a tree of impossible depth");
    TreeWalk walk{.of_free_pages = of_free_pages};
    if (auto checked = check_page(tree.root, tree.depth, walk); !checked) return checked;
    if (walk.entries == tree.entries) return {};
    return corrupt("a tree of " + std::to_string(tree.entries) + " entries has " + std::to_string(walk.entries));
  }

  Result<void> check_page(std::uint64_t number, unsigned depth, TreeWalk& walk) {
    const auto name = [number] { return "page " + std::to_string(number); };
    if (auto claimed = claim(number, 1); !claimed) return claimed;
    const auto page = file_.read_at(number * meta_.page_bytes, meta_.page_bytes);
    if (!page) return page.error();
    const unsigned kind = load<std::uint16_t>(*page, 10);
    const std::size_t lower = load<std::uint16_t>(*page, 12);
    const std::size_t upper = load<std::uint16_t>(*page, 14);
    if (load<std::uint64_t>(*page, 0) != number ||
        (kind & ~dirty_page) != (depth > 1 ? branch_page : leaf_page)) {
      return corrupt(name() + " is not the page it should be");
    }
    if (lower < page_head_bytes || lower > upper || upper > page->size() || lower % 2 != 0) {
      return corrupt(name() + " has wrong bounds");
    }
    const std::size_t nodes = (lower - page_head_bytes) / 2;
    const std::size_t least = depth > 1 && !walk.of_free_pages ? 2 : 1;
    if (nodes < least) return corrupt(name() + " has too few nodes");
    for (std::size_t i = 0; i < nodes; ++i) {
      const std::size_t at = load<std::uint16_t>(*page, page_head_bytes + 2 * i);
      if (at < upper || at + node_head_bytes > page->size()) return corrupt(name() + " has a wrong node");
      const auto node = std::string_view(*page).substr(at);
      if (auto checked = depth > 1 ? check_branch(node, depth, i == 0, walk) : check_leaf(node, walk); !checked) {
        return checked;
      }
    }
    return {};
  }

  // A look-up goes by the keys of the branches; the first of a page has none that counts.
  Result<void> check_branch(std::string_view node, unsigned depth, bool first, TreeWalk& walk) {
    const auto child = std::uint64_t{load<std::uint16_t>(node, 0)} |
                       std::uint64_t{load<std::uint16_t>(node, 2)} << 16 |
                       std::uint64_t{load<std::uint16_t>(node, 4)} << 32;
    const std::size_t key_bytes = load<std::uint16_t>(node, 6);
    if (node.size() - node_head_bytes < key_bytes) return corrupt("a key is cut short");
    if (!first && !walk.pass(node.substr(node_head_bytes, key_bytes), false)) return corrupt(out_of_order);
    return check_page(child, depth - 1, walk);
  }

  Result<void> check_leaf(std::string_view node, TreeWalk& walk) {
    const auto value_bytes = std::uint64_t{load<std::uint16_t>(node, 0)} |
                             std::uint64_t{load<std::uint16_t>(node, 2)} << 16;
    const unsigned flags = load<std::uint16_t>(node, 4);
    const std::size_t key_bytes = load<std::uint16_t>(node, 6);
    const bool outside = (flags & value_outside) != 0;
    const std::uint64_t inside_bytes = outside ? sizeof(std::uint64_t) : value_bytes;
    if (node.size() - node_head_bytes < key_bytes ||
        node.size() - node_head_bytes - key_bytes < inside_bytes) {
      return corrupt("a node is cut short");
    }
    if ((flags & ~(value_outside | value_is_tree)) != 0) return corrupt("a node of unknown form");
    if (!walk.pass(node.substr(node_head_bytes, key_bytes), true)) return corrupt(out_of_order);
    const auto value = node.substr(node_head_bytes + key_bytes);
    const auto first = outside ? load<std::uint64_t>(value, 0) : 0;
    if (outside) {
      const auto pages = (page_head_bytes + value_bytes + meta_.page_bytes - 1) / meta_.page_bytes;
      if (auto claimed = claim(first, pages); !claimed) return claimed;
      if (auto checked = check_overflow(first, pages); !checked) return checked;
    }
    if (walk.of_free_pages) {
      const auto list = outside ? file_.read_at(first * meta_.page_bytes + page_head_bytes, value_bytes)
                                : Result<std::string>(std::string(value.substr(0, value_bytes)));
      return list ? check_free_list(key_bytes, *list) : list.error();
    }
    if ((flags & value_is_tree) == 0) return {};
    return outside || value_bytes != tree_bytes ? Result<void>(corrupt("a table is cut short"))
                                                : check_tree(parse_tree(value.substr(0, tree_bytes)), false);
  }

  // LMDB believes what the head says, and ends the process over one that is marked as being written.
  Result<void> check_overflow(std::uint64_t first, std::uint64_t pages) const {
    const auto head = file_.read_at(first * meta_.page_bytes, page_head_bytes);
    if (!head) return head.error();
    if (load<std::uint64_t>(*head, 0) != first || load<std::uint16_t>(*head, 10) != overflow_page || load<std::uint32_t>(*head, 12) < pages) {
      return corrupt("page " + std::to_string(first) + " is not the value's that it should be");
    }
    return {};
  }

  // A count and so many page numbers, greatest first.
  Result<void> check_free_list(std::size_t key_bytes, std::string_view list) {
    const auto count = list.size() < 8 ? no_page : load<std::uint64_t>(list, 0);
    if (key_bytes != 8 || count > list.size() / 8 - 1) return corrupt("a list of free pages is cut short");
    std::uint64_t before = no_page;
    for (std::size_t i = 1; i <= count; ++i) {
      const auto page = load<std::uint64_t>(list, 8 * i);
      if (page >= before) return corrupt("a list of free pages is out of order");
      free_pages_.push_back(page);
      before = page;
    }
    return {};
  }

  Descriptor file_;
  std::uint64_t bytes_;
  Meta meta_;
  std::vector<bool> used_;
  std::vector<std::uint64_t> free_pages_;
};

struct Newest {
  std::size_t slot = 0;
  Meta meta;
};

std::optional<Newest> find_newest(const FileWalk& walk) {
  const auto first = walk.meta(0);
  const auto second = walk.meta(1);
  if (!first || !second) return std::nullopt;
  return second->transaction > first->transaction ? Newest{1, *second} : Newest{0, *first};
}

Error broken_metas(const std::filesystem::path& path) {
  return corrupt(path.filename().string() + ": a meta page is broken or the file is cut short");
}

}  // namespace

Result<FileUse> inspect_file(const std::filesystem::path& path) {
  const auto walk = FileWalk::open(path, O_RDONLY);
  if (!walk) return walk.error();
  const auto newest = find_newest(*walk);
  if (!newest) return broken_metas(path);
  return walk->use(newest->meta);
}

Result<FileUse> check_file(const std::filesystem::path& path) {
  auto walk = FileWalk::open(path, O_RDONLY);
  if (!walk) return walk.error();
  const auto newest = find_newest(*walk);
  if (!newest) return broken_metas(path);
  auto checked = walk->check(newest->meta);
  if (!checked) {
    return Error{checked.error().fault, path.filename().string() + ": " + checked.error().detail};
  }
  return checked;
}

Result<NewestMeta> read_newest_meta(const std::filesystem::path& path) {
  const auto walk = FileWalk::open(path, O_RDONLY);
  if (!walk) return walk.error();
  const auto newest = find_newest(*walk);
  if (!newest) return broken_metas(path);
  auto page = walk->meta_page(newest->slot, newest->meta);
  if (!page) return page.error();
  return NewestMeta{newest->meta.transaction, *std::move(page)};
}

Result<void> take_back(const std::filesystem::path& path, const NewestMeta& meta) {
  const auto walk = FileWalk::open(path, O_RDWR);
  if (!walk) return walk.error();
  const auto newest = find_newest(*walk);
  if (!newest) return broken_metas(path);
  const auto page = walk->meta_page(newest->slot, newest->meta);
  if (!page) return page.error();
  if (*page != meta.bytes) return {};
  const auto before = walk->meta(1 - newest->slot);
  return walk->keep_only(1 - newest->slot, *before);
}

Result<FileUse> repair_file(const std::filesystem::path& path) {
  auto walk = FileWalk::open(path, O_RDWR);
  if (!walk) return walk.error();
  const std::array<std::optional<Meta>, 2> metas = {walk->meta(0), walk->meta(1)};
  const std::size_t newest =
      metas[1] && (!metas[0] || metas[1]->transaction > metas[0]->transaction) ? 1 : 0;
  for (const std::size_t slot : {newest, 1 - newest}) {
    if (!metas[slot]) continue;
    auto checked = walk->check(*metas[slot]);
    if (!checked) continue;
    if (auto kept = walk->keep_only(slot, *metas[slot]); !kept) return kept.error();
    return checked;
  }
  return broken_metas(path);
}

}  // namespace picket::buffer
