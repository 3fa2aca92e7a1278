// Every payload of the shared corpus, where it is at hand, is shown without harm.
#include "issue_fixture.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

namespace picket::rest {
namespace {

std::filesystem::path corpus() {
  const char* named = std::getenv("PICKET_SHARED_DATA");
  const auto data = named != nullptr ? std::filesystem::path(named) : std::filesystem::path(PICKET_SOURCE_DIR) / ".." / "shared" / "data";
  return data / "corpus";
}

TEST_F(IssuesTest, EveryPayloadOfTheCorpusIsShown) {
  std::error_code missing;
  if (!std::filesystem::is_directory(corpus(), missing)) {
    std::cout << "event_corpus_test: skipped, no " << corpus() << "\n";
    GTEST_SKIP();
  }
  std::vector<std::pair<std::string, std::string>> sent;  // id, file
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus())) {
    if (!entry.is_regular_file() || entry.path().extension() != ".json" || entry.file_size() > 4'000'000) continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    const std::string payload{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    const bool transaction = payload.find("\"start_timestamp\"") != std::string::npos;
    sent.emplace_back(receive(payload, transaction ? "transaction" : "event"), entry.path().string());
  }
  digest();
  std::size_t shown = 0;
  for (const auto& [id, file] : sent) {
    const auto answer = get(project_path("events/" + id + "/"));
    ASSERT_TRUE(answer.status == 200U || answer.status == 404U) << file << ": " << answer.text;
    if (answer.status != 200U) continue;
    ++shown;
    ASSERT_TRUE(answer["entries"].is_array()) << file;
    ASSERT_EQ(get(project_path("events/" + id + "/json/")).status, 200U) << file;
  }
  std::cout << "event_corpus_test: " << shown << " of " << sent.size() << " payloads\n";
  EXPECT_GT(shown, 200U);
  auto target = project_path("events/?full=1");
  for (;;) {
    const auto page = get(target);
    ASSERT_EQ(page.status, 200U) << page.text.substr(0, 200);
    const auto next = relation(page.headers.find("Link"), "next");
    if (next.results != "true") break;
    target = next.url.substr(std::string("http://picket.example:3000").size());
  }
  ASSERT_EQ(get(organization_path("issues/?query=")).status, 200U);
}

}  // namespace
}  // namespace picket::rest
