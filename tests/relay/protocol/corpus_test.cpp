// Envelopes that real SDKs sent, where the folder with them exists (it is no part of the project).

#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

namespace picket::relay {
namespace {

namespace fs = std::filesystem;

fs::path shared_data() {
  if (const char* const named = std::getenv("PICKET_SHARED_DATA"))
    return named;  // NOLINT(concurrency-mt-unsafe)
  return fs::path(PICKET_SOURCE_DIR).parent_path() / "shared" / "data";
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Of the corpus folders, what is an envelope by its name: not the JSON documents beside them.
std::vector<fs::path> envelope_files() {
  std::vector<fs::path> files;
  for (const auto* const folder :
       {"spotlight-envelopes", "sentry-java-envelopes", "sentry-native"}) {
    const auto root = shared_data() / "corpus" / folder;
    if (!fs::exists(root)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const auto extension = entry.path().extension();
      if (entry.is_regular_file() && (extension == ".txt" || extension == ".bin"))
        files.push_back(entry.path());
    }
  }
  return files;
}

// A sample that somebody edited by hand has lengths that no longer hold: refusing it is right.
bool has_wrong_length(const Error& error) {
  return error.detail.find("unexpected end of file") != std::string::npos ||
         error.detail.find("missing newline after payload") != std::string::npos;
}

TEST(Corpus, EveryRealEnvelopeWithTrueLengthsParses) {
  const auto files = envelope_files();
  if (files.empty()) {
    GTEST_SKIP() << "no shared data: set PICKET_SHARED_DATA to try real envelopes";
  }
  std::size_t parsed = 0;
  for (const auto& file : files) {
    const auto bytes = read_file(file);
    const auto envelope = parse_envelope(bytes);
    if (!envelope) {
      std::cout << file.filename() << ": " << envelope.error().detail << '\n';
      EXPECT_TRUE(has_wrong_length(envelope.error())) << file;
      continue;
    }
    ++parsed;
    EXPECT_FALSE(envelope->items.empty()) << file;
    EXPECT_EQ(*render_changed_header(envelope->header, {}), envelope->header);
    for (const auto& item : envelope->items) {
      EXPECT_NE(category_of(item), DataCategory::unknown) << file << ' ' << item.type;
    }
  }
  std::cout << parsed << " of " << files.size() << " real envelopes parse\n";
  EXPECT_GE(parsed * 10, files.size() * 9);
}

}  // namespace
}  // namespace picket::relay
