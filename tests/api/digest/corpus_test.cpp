// Real payloads, where the shared data is at hand: none may be lost, none may throw.
#include "api/digest/digest_fixture.h"
#include "api/digest/title.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

namespace picket::digest {
namespace {

std::filesystem::path corpus() {
  const char* named = std::getenv("PICKET_SHARED_DATA");
  const auto data = named != nullptr
                        ? std::filesystem::path(named)
                        : std::filesystem::path(PICKET_SOURCE_DIR) / ".." / "shared" / "data";
  return data / "corpus";
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool looks_like_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return first != std::string_view::npos && text[first] == '{';
}

class CorpusTest : public DigestTest {};

TEST_F(CorpusTest, EveryEventIsDigested) {
  std::error_code missing;
  if (!std::filesystem::is_directory(corpus(), missing)) {
    std::cout << "corpus_test: skipped, no " << corpus() << "\n";
    GTEST_SKIP();
  }
  std::uint64_t events = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus())) {
    if (!entry.is_regular_file() || entry.path().extension() != ".json") continue;
    const auto json = contents(entry.path());
    if (!looks_like_json(json) || !parse_event(json)) continue;
    receive(envelope(item("event", json), id_text(++events)));
  }
  digest_all();
  std::cout << "corpus_test: " << events << " events, " << issues().size() << " issues\n";
  EXPECT_GT(events, 250U);
  EXPECT_EQ(counters.events, events);
  EXPECT_EQ(counters.invalid, 0U);
  EXPECT_EQ(rows(buffer::Table::events), events);
}

TEST_F(CorpusTest, WhatIsRefusedIsNotJson) {
  std::error_code missing;
  if (!std::filesystem::is_directory(corpus(), missing)) {
    std::cout << "corpus_test: skipped, no " << corpus() << "\n";
    GTEST_SKIP();
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus())) {
    if (!entry.is_regular_file() || entry.path().extension() != ".json") continue;
    const auto json = contents(entry.path());
    const auto event = parse_event(json);
    if (event) {
      EXPECT_FALSE(title_of(*event).title.empty()) << entry.path();
      continue;
    }
    // Lists of other things (replays, spans as lines) are no events.
    EXPECT_FALSE(looks_like_json(json) && json.find("\"exception\"") != std::string::npos)
        << entry.path();
  }
}

}  // namespace
}  // namespace picket::digest
