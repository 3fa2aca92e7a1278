#include "buffer/bundle.h"
#include "buffer/dictionary.h"
#include "buffer/journal_support.h"

namespace picket::buffer {
namespace {

using testing::record_of;

TEST(BundleFormat, BelievesNothingThatWasChanged) {
  std::vector<Record> records;
  for (std::uint64_t number = 1; number <= 6; ++number) records.push_back(record_of(number, 300));
  std::string block(block_bytes(records), '\0');
  pack_block(records, 40, block.data());
  Deflater deflater({}, block.size());
  std::string frame;
  deflater.deflate(block, frame);
  BundleBuilder builder;
  builder.add(Block::parse(block)->head(), block.size(), frame);
  const auto bytes = builder.render(0);
  ASSERT_TRUE(Bundle::parse(bytes));
  EXPECT_EQ(Bundle::parse(bytes)->head().head.count, 6U);
  Inflater inflater(nullptr);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const auto bundle = Bundle::parse(changed);
    if (!bundle) continue;
    // A frame's own bytes: what they inflate to has checksums.
    ASSERT_GE(at, bundle_head_bytes + bundle_entry_bytes);
    std::string back;
    if (!inflater.inflate(bundle->group(0).frame, bundle->group(0).block_bytes, back)) continue;
    const auto inflated = Block::parse(back);
    bool differs = !inflated || back != block;
    for (std::size_t i = 0; inflated && i < inflated->head().count; ++i) {
      if (checksum_holds(inflated->records(i, i + 1), {40 + i, 0}, inflated->checksum(i))) {
        EXPECT_EQ(inflated->records(i, i + 1), Block::parse(block)->records(i, i + 1)) << at;
      }
    }
    // A bit that zstd does not look at changes nothing.
    EXPECT_TRUE(differs || back == block);
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(Bundle::parse(std::string_view(bytes).substr(0, length)));
}

TEST(BundleFormat, ADictionaryIsBelievedWholeOrNotAtAll) {
  const auto entry = render_dictionary("words that many records have");
  EXPECT_EQ(parse_dictionary(entry), "words that many records have");
  for (std::size_t at = 0; at < entry.size(); ++at) {
    auto changed = entry;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(parse_dictionary(changed)) << at;
  }
  const auto summary = render_summary({.records = 7, .bytes_before = 9, .rewritten = time_from_ms(11)});
  ASSERT_TRUE(parse_summary(summary));
  EXPECT_EQ(parse_summary(summary)->bytes_before, 9U);
  EXPECT_FALSE(parse_summary(summary.substr(1)));
}

}  // namespace
}  // namespace picket::buffer
