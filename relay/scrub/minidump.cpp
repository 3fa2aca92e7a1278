// The parts of a minidump that may hold sensitive data.
//
//   header: "MDMP", version u32, streams u32, directory's offset u32 …
//   directory: (type u32, bytes u32, offset u32) × streams
//   thread list (3): count u32, 48 bytes each, of which at 24: the stack's address u64, bytes u32,
//   offset u32 memory list (5): count u32, (address u64, bytes u32, offset u32) each memory list of
//   full dumps (9): count u64, offset u64, (address u64, bytes u64) each, one behind the other
//   module list (4): count u32, 108 bytes each, of which at 20: the name's offset u32, at 76: the
//   debug
//                    record's bytes u32 and offset u32
//   name: bytes u32, UTF-16
//   debug record: "RSDS", 16 + 4 bytes, path; or "NB10", 12 bytes, path

#include "relay/scrub/blob.h"

#include <algorithm>
#include <set>

namespace picket::scrub {
namespace {

constexpr std::uint32_t thread_list = 3;
constexpr std::uint32_t module_list = 4;
constexpr std::uint32_t memory_list = 5;
constexpr std::uint32_t memory64_list = 9;
constexpr std::uint32_t linux_command_line = 0x47670006;
constexpr std::uint32_t linux_environment = 0x47670007;
constexpr std::size_t max_streams = 1000;
constexpr std::size_t max_parts = 100'000;

class Reader {
 public:
  explicit Reader(std::string_view dump) : dump_(dump) {}

  std::uint64_t number(std::size_t at, std::size_t bytes) const {
    if (at > dump_.size() || dump_.size() - at < bytes) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i > 0; --i)
      value = value << 8U | static_cast<unsigned char>(dump_[at + i - 1]);
    return value;
  }
  std::size_t u32(std::size_t at) const { return number(at, 4); }

  void read() {
    const auto streams = std::min(u32(8), max_streams);
    const auto directory = u32(12);
    for (std::size_t i = 0; i < streams; ++i) {
      if (u32(directory + 12 * i) == thread_list) read_threads(u32(directory + 12 * i + 8));
    }
    for (std::size_t i = 0; i < streams; ++i) {
      const auto entry = directory + 12 * i;
      const auto bytes = u32(entry + 4);
      const auto offset = u32(entry + 8);
      switch (u32(entry)) {
        case module_list: read_modules(offset); break;
        case memory_list: read_memory(offset); break;
        case memory64_list: read_memory64(offset); break;
        case linux_command_line:
        case linux_environment: add(DumpPart::Kind::process, offset, bytes); break;
        default: break;
      }
    }
  }

  std::vector<DumpPart> take() && { return std::move(parts_); }

 private:
  std::size_t entries(std::size_t count, std::size_t at, std::size_t bytes) const {
    return at >= dump_.size() ? 0 : std::min({count, (dump_.size() - at) / bytes, max_parts});
  }

  void add(DumpPart::Kind kind, std::uint64_t offset, std::uint64_t bytes) {
    if (parts_.size() == max_parts || offset > dump_.size() || dump_.size() - offset < bytes ||
        bytes == 0)
      return;
    if (!seen_.insert(offset).second) return;
    // Parts that claim the same bytes over and over would be work without end.
    claimed_ += bytes;
    if (claimed_ > 4 * dump_.size()) return;
    parts_.push_back({kind, offset, offset + bytes});
  }

  void read_threads(std::size_t at) {
    const auto count = entries(u32(at), at + 4, 48);
    for (std::size_t i = 0; i < count; ++i) {
      const auto stack = at + 4 + 48 * i + 24;
      add(DumpPart::Kind::stack, u32(stack + 12), u32(stack + 8));
      stacks_.insert(number(stack, 8));
    }
  }

  void read_memory(std::size_t at) {
    const auto count = entries(u32(at), at + 4, 16);
    for (std::size_t i = 0; i < count; ++i) {
      const auto region = at + 4 + 16 * i;
      add(kind_of(number(region, 8)), u32(region + 12), u32(region + 8));
    }
  }

  void read_memory64(std::size_t at) {
    const auto count = entries(number(at, 8), at + 16, 16);
    auto offset = number(at + 8, 8);
    for (std::size_t i = 0; i < count; ++i) {
      const auto region = at + 16 + 16 * i;
      const auto bytes = number(region + 8, 8);
      if (bytes > dump_.size()) return;
      add(kind_of(number(region, 8)), offset, bytes);
      offset += bytes;
    }
  }

  DumpPart::Kind kind_of(std::uint64_t address) const {
    return stacks_.contains(address) ? DumpPart::Kind::stack : DumpPart::Kind::heap;
  }

  void read_modules(std::size_t at) {
    const auto count = entries(u32(at), at + 4, 108);
    for (std::size_t i = 0; i < count; ++i) {
      const auto module = at + 4 + 108 * i;
      const auto name = u32(module + 20);
      add(DumpPart::Kind::code_file, name + 4, u32(name));
      const auto bytes = u32(module + 76);
      const auto record = u32(module + 80);
      if (record > dump_.size()) continue;
      const auto signature = dump_.substr(record, 4);
      const std::size_t head = signature == "RSDS" ? 24 : signature == "NB10" ? 16 : bytes;
      if (bytes > head) add(DumpPart::Kind::debug_file, record + head, bytes - head);
    }
  }

  std::string_view dump_;
  std::set<std::uint64_t> seen_;
  std::set<std::uint64_t> stacks_;
  std::uint64_t claimed_ = 0;
  std::vector<DumpPart> parts_;
};

}  // namespace

bool is_minidump(std::string_view bytes) {
  return bytes.starts_with("MDMP");
}

std::vector<DumpPart> find_dump_parts(std::string_view dump) {
  Reader reader(dump);
  reader.read();
  return std::move(reader).take();
}

}  // namespace picket::scrub
