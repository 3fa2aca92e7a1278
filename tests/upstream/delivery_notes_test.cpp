// What an upstream has acknowledged, for the process after a kill.
#include "upstream/delivery_notes.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace picket::upstream {
namespace {

constexpr auto everything = [](buffer::Sequence) { return true; };

class DeliveryNotesTest : public ::testing::Test {
 protected:
  DeliveryNotes loaded(std::string_view life = "hub 0") {
    DeliveryNotes notes(file);
    known = notes.load(life, everything);
    return notes;
  }
  std::size_t reloaded(const DeliveryNotes::Waits& waits) { return DeliveryNotes(file).load("hub 0", waits); }
  std::string bytes() const {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& text) const { std::ofstream(file, std::ios::binary) << text; }

  testing::TempDir folder;
  const std::filesystem::path file = folder / "forwarding" / "hub.notes";
  std::size_t known = 0;
};

TEST_F(DeliveryNotesTest, OutliveTheProcess) {
  {
    auto notes = loaded();
    EXPECT_EQ(known, 0U);
    for (std::uint64_t i = 1; i <= 100; ++i) notes.add(i, i * 7);
    notes.flush();
  }
  auto notes = loaded();
  EXPECT_EQ(known, 100U);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    EXPECT_FALSE(notes.take(i, i * 7 + 1));
    EXPECT_TRUE(notes.take(i, i * 7));
    EXPECT_FALSE(notes.take(i, i * 7)) << "once";
  }
  EXPECT_FALSE(notes.take(101, 707));
}

TEST_F(DeliveryNotesTest, StayUntilTheTablesAreWrittenAndNoLonger) {
  {
    auto notes = loaded();
    notes.add(1, 1);
    notes.turn(2, everything);  // 1 is being written
    notes.add(2, 2);
    notes.flush();
  }
  {
    auto notes = loaded();
    EXPECT_EQ(known, 2U);
    EXPECT_TRUE(notes.take(1, 1));
    EXPECT_TRUE(notes.take(2, 2));
    notes.turn(2, [](buffer::Sequence) { return false; });
    notes.turn(2, [](buffer::Sequence) { return false; });
  }
  EXPECT_EQ(reloaded([](buffer::Sequence sequence) { return sequence > 2; }), 0U);
}

// One that goes on failing holds the cursor; what is delivered behind it is in no table.
TEST_F(DeliveryNotesTest, OfWhatTheCursorHasNotPassedStayHoweverOftenTheTablesAreWritten) {
  {
    auto notes = loaded();
    notes.add(1, 1);
    for (std::uint64_t i = 3; i <= 100; ++i) {
      notes.add(i, i);
      if (i % 10 == 0) notes.turn(2, everything);
    }
    notes.turn(2, everything);
    notes.turn(2, everything);
  }
  loaded();
  EXPECT_EQ(known, 98U);
}

TEST_F(DeliveryNotesTest, OfTheProcessBeforeStayUntilTheyAreMet) {
  {
    auto notes = loaded();
    for (std::uint64_t i = 1; i <= 10; ++i) notes.add(i, i);
    notes.flush();
  }
  {
    auto notes = loaded();
    EXPECT_TRUE(notes.take(1, 1));
    for (std::uint64_t i = 0; i < 5; ++i) notes.turn(20 + i, [](buffer::Sequence sequence) { return sequence != 10; });
  }
  DeliveryNotes notes(file);
  EXPECT_EQ(notes.load("hub 0", [](buffer::Sequence sequence) { return sequence > 1 && sequence < 10; }), 8U);
  EXPECT_TRUE(notes.take(9, 9));
  EXPECT_FALSE(notes.take(10, 10));
}

TEST_F(DeliveryNotesTest, OfMoreThanThereIsRoomForAreFewer) {
  {
    auto notes = loaded();
    for (std::uint64_t i = 1; i <= 2 * DeliveryNotes::places_per_half; ++i) {
      notes.add(i, i);
      if (i % 100 == 0) notes.flush();
    }
    notes.flush();
  }
  loaded();
  EXPECT_EQ(known, DeliveryNotes::places_per_half - 1);
}

TEST_F(DeliveryNotesTest, AreCheckedAgainstRecordLifeAndResend) {
  auto notes = loaded();
  buffer::StoredRecord record;
  record.sequence = 5;
  record.received = time_from_ms(1'700'000'000'000);
  record.project = 1;
  record.key = "0123456789abcdef";
  record.meta = "meta";
  record.body = "one";
  const auto check = notes.check_of(record, 0);
  auto packed_otherwise = record;
  packed_otherwise.body = "two";
  packed_otherwise.coding = 3;
  EXPECT_EQ(notes.check_of(packed_otherwise, 0), check) << "segments are recompressed";
  EXPECT_NE(notes.check_of(record, 1), check);
  EXPECT_NE(loaded("hub 1").check_of(record, 0), check);
  EXPECT_EQ(loaded().check_of(record, 0), check);
  for (const auto& change : std::initializer_list<void (*)(buffer::StoredRecord&)>{
           [](buffer::StoredRecord& r) { r.received += Duration(1); }, [](buffer::StoredRecord& r) { r.project = 2; },
           [](buffer::StoredRecord& r) { r.key = "0123456789abcdee"; }, [](buffer::StoredRecord& r) { r.meta = "mete"; }}) {
    auto other = record;
    change(other);
    EXPECT_NE(notes.check_of(other, 0), check);
  }
}

TEST_F(DeliveryNotesTest, OfAFileThatIsTornForeignOrEmptyAreWhatIsLeft) {
  {
    auto notes = loaded();
    for (std::uint64_t i = 1; i <= 10; ++i) notes.add(i, i);
    notes.flush();
  }
  const std::string whole = bytes();
  constexpr std::size_t first_half = 2 * DeliveryNotes::places_per_half;
  write(whole.substr(0, (first_half + 5) * 16 + 7));
  loaded();
  EXPECT_EQ(known, 5U);
  write(std::string(100'000, 'x') + std::string(1'000'000, '\x01'));
  auto notes = loaded();
  EXPECT_LE(known, 4 * DeliveryNotes::places_per_half);
  EXPECT_FALSE(notes.take(1, 1));
  write("");
  loaded();
  EXPECT_EQ(known, 0U);
}

TEST_F(DeliveryNotesTest, ThatCannotBeWrittenHarmNothing) {
  for (const std::filesystem::path& place : {std::filesystem::path(), std::filesystem::path("/proc/no/such/folder/hub.notes")}) {
    DeliveryNotes notes(place);
    EXPECT_EQ(notes.load("hub 0", everything), 0U);
    notes.add(1, 1);
    notes.flush();
    notes.turn(1, everything);
    EXPECT_FALSE(notes.take(1, 1));
  }
}

}  // namespace
}  // namespace picket::upstream
