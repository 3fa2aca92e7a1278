// What the tests of recompressed segments share: a journal with records of every kind, and what readers were given of it.
#pragma once

#include "buffer/journal_support.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace picket::buffer::testing {

using What = Recompressed::What;

constexpr std::uint8_t hidden = 3;  // a coding that open_hidden() opens

inline std::string hide(std::string body) {
  for (auto& c : body) c = static_cast<char>(c ^ 0x55);
  return body;
}
inline std::optional<PlainBody> open_hidden(const StoredRecord& record) {
  if (record.coding != hidden) return std::nullopt;
  return PlainBody{hide(std::string(record.body)), 0};
}

// What every reader must be given the same before and after, a body without its coding.
struct Seen {
  RecordKind kind;
  std::uint8_t flags;
  Time received;
  std::uint64_t project;
  std::string key, meta, plain;
  friend bool operator==(const Seen&, const Seen&) = default;
};
inline Seen seen(const StoredRecord& record) {
  const auto plain = open_hidden(record);
  return {record.kind, record.flags, record.received, record.project, std::string(record.key), std::string(record.meta),
          plain ? plain->bytes : std::string(record.body)};
}

class Recompress : public ::testing::Test {
 protected:
  // Words as events have them: ever the same, but for numbers.
  static std::string words(std::uint64_t number, std::size_t bytes) {
    std::mt19937_64 random(number);
    std::string text = "{\"number\":" + std::to_string(number);
    while (text.size() < bytes) {
      text += ",\"frame\":{\"function\":\"resolve_" + std::to_string(random() % 500) + "\",\"lineno\":" + std::to_string(random() % 10'000) +
              ",\"filename\":\"shop/orders.py\",\"in_app\":true}";
    }
    return text;
  }
  // Every kind, coding and size that the journal keeps, records that are split included.
  static Record mixed(std::uint64_t number) {
    auto record = record_of(number);
    record.body = words(number, number % 50 == 7 ? 90'000 : 200 + number * 37 % 6'000);
    if (number % 3 == 0) {
      record.coding = hidden;
      record.body = hide(words(number, 3'000));
    }
    if (number % 11 == 0) record.kind = RecordKind::outcomes;
    if (number % 13 == 0) record.coding = 2;  // one that nobody opens
    if (number % 17 == 0) record.body = std::string();
    if (number % 19 == 0) record.flags = record_dropped;
    if (number % 23 == 0) record.key.clear();
    if (number % 29 == 0) record.meta.clear();
    return record;
  }
  void SetUp() override {
    journal_ = open_journal(options_, clock_);
    fill(*journal_, mixed);
    ASSERT_GE(journal_->segments().size(), 4U);
    before_ = all();
    ASSERT_EQ(before_.size(), count);
  }
  // Some records a commit, as it comes.
  static void fill(Journal& journal, const std::function<Record(std::uint64_t)>& make) {
    Answers answers;
    for (std::uint64_t number = 1; number <= count; ++number) {
      ASSERT_TRUE(journal.offer(make(number), answers.expect(number)));
      if (number % 8 == 0) answers.wait();
    }
    answers.wait();
  }
  void reopen() {
    journal_.reset();
    journal_ = open_journal(options_, clock_);
  }
  std::map<Sequence, Seen> all(Sequence from = 1, std::vector<Sequence>* damaged = nullptr) const {
    std::map<Sequence, Seen> found;
    while (from < journal_->use().next) {
      const auto batch = journal_->read(from, 50'000, 100);
      EXPECT_TRUE(batch) << batch.error().detail;
      if (!batch || batch->next <= from) break;
      for (const auto& record : batch->records) EXPECT_TRUE(found.emplace(record.sequence, seen(record)).second);
      if (damaged != nullptr) damaged->insert(damaged->end(), batch->damaged.begin(), batch->damaged.end());
      from = batch->next;
    }
    return found;
  }
  void expect_all_as_before() const {
    EXPECT_TRUE(all() == before_);
    for (Sequence sequence = 1; sequence <= count; ++sequence) {
      const auto one = journal_->read_one(sequence);
      ASSERT_TRUE(one) << one.error().detail;
      EXPECT_TRUE(seen(one->records.at(0)) == before_.at(sequence)) << sequence;
    }
  }
  Result<Recompressed> recompress(Sequence from, std::function<bool()> go_on = [] { return true; }) const {
    return journal_->recompress(from, {.open_body = open_hidden,
                                       .may = [](const SegmentUse&) { return What::done; },
                                       .go_on = std::move(go_on),
                                       .before_replacing = {}});
  }
  // All that may be; how many were made smaller.
  std::size_t recompress_all() const {
    std::size_t done = 0;
    for (Sequence at = 0;;) {
      const auto one = recompress(at);
      EXPECT_TRUE(one) << one.error().detail;
      if (!one || one->what == What::nothing) return done;
      EXPECT_EQ(one->what, What::done) << one->reason;
      done += one->what == What::done ? 1U : 0U;
      at = one->next;
    }
  }
  std::filesystem::path path_of(std::size_t segment) const { return journal_->segments().at(segment).path; }
  // Lock files, which come and go, not among them.
  std::uint64_t bytes_in_folder() const {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder)) {
      if (entry.path().extension() == ".mdb") bytes += entry.file_size();
    }
    return bytes;
  }
  std::size_t files_like(std::string_view part) const {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder)) {
      files += entry.path().filename().string().find(part) != std::string::npos ? 1U : 0U;
    }
    return files;
  }
  static std::vector<std::size_t> places_of(std::string_view what, const std::string& bytes) {
    std::vector<std::size_t> places;
    for (auto at = bytes.find(what); at != std::string::npos; at = bytes.find(what, at + 1)) places.push_back(at);
    return places;
  }

  static constexpr std::uint64_t count = 320;
  const TempDir folder_;
  const FakeClock clock_;
  const JournalOptions options_ = small_options(folder_ / "journal");
  std::unique_ptr<Journal> journal_;
  std::map<Sequence, Seen> before_;
};

}  // namespace picket::buffer::testing
