// A journal, tables with one organization and project, and a digest between them.
#pragma once

#include "api/digest/batch_writer.h"
#include "api/digest/digest.h"
#include "buffer/event_ids.h"
#include "api/digest/issue_state.h"
#include "api/facts/block.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "support/fake_clock.h"
#include "support/fake_journal.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace picket::digest {

constexpr std::uint64_t test_organization = 1;
constexpr std::uint64_t test_project = 7;

inline std::string item(std::string_view type,
                        std::string_view payload,
                        std::string_view more = "") {
  return "{\"type\":\"" + std::string(type) + "\",\"length\":" + std::to_string(payload.size()) +
         std::string(more) + "}\n" + std::string(payload) + "\n";
}

// 32 hex digits from a number.
inline std::string id_text(std::uint64_t number) {
  auto digits = std::to_string(number);
  return std::string(32 - digits.size(), '0') + digits;
}

inline std::string envelope(std::string_view items,
                            std::string_view id = "",
                            std::string_view sent_at = "") {
  std::string header = "{";
  if (!id.empty()) header += "\"event_id\":\"" + std::string(id) + "\"";
  if (!sent_at.empty())
    header += std::string(id.empty() ? "" : ",") + "\"sent_at\":\"" + std::string(sent_at) + "\"";
  return header + "}\n" + std::string(items);
}

class DigestTest : public ::testing::Test {
 protected:
  DigestTest() {
    tables = open_tables(folder / "tables.mdb");
    add_project(test_project, "shop");
  }

  static std::unique_ptr<buffer::Tables> open_tables(const std::filesystem::path& path) {
    auto opened = buffer::Tables::open({.path = path, .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened) << opened.error().detail;
    return *std::move(opened);
  }

  void add_project(std::uint64_t id, std::string slug) {
    const auto written = tables->write([&](buffer::Batch& batch) {
      schema::Project row;
      row.set_id(id);
      row.set_organization(test_organization);
      row.set_slug(slug);
      buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(id), row);
    });
    ASSERT_TRUE(written);
  }

  void receive(std::string body, std::uint64_t project = test_project) {
    buffer::Record record;
    record.received = clock.now();
    record.project = project;
    record.key = std::string(16, 'k');
    record.body = std::move(body);
    receive(std::move(record));
  }
  void receive(buffer::Record record) {
    ASSERT_TRUE(journal.offer(std::move(record), [](const Result<buffer::Sequence>&) {}));
  }
  // An event of its own envelope; `fields` are further members of the payload, with a leading
  // comma.
  std::string receive_event(std::string_view fields) {
    const auto id = id_text(++last_id);
    receive(envelope(item("event", "{\"level\":\"error\"" + std::string(fields) + "}"), id));
    return id;
  }

  void digest_all(DigestConfig config = {}) {
    Digest digest(journal, *tables, clock, config);
    for (;;) {
      const auto digested = digest.run_once();
      ASSERT_TRUE(digested) << digested.error().detail;
      if (*digested == 0) break;
    }
    counters = digest.counters();
  }

  std::uint64_t rows(buffer::Table table) const { return tables->snapshot().entries(table); }

  // Whether an event has this id.
  bool knows(std::string_view id, std::uint64_t project = test_project) const {
    const auto parsed = relay::parse_event_id(id);
    return parsed && buffer::find_event_id(tables->snapshot(), project, relay::raw_bytes(*parsed));
  }

  std::vector<schema::Issue> issues() const {
    std::vector<schema::Issue> found;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(buffer::Table::issues);
    for (bool there = cursor.first(); there; there = cursor.next()) {
      found.push_back(buffer::parse_row<schema::Issue>(cursor.value()));
    }
    return found;
  }
  schema::Issue only_issue() const {
    const auto all = issues();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? schema::Issue() : all.front();
  }
  schema::IssueCounters counters_of(std::uint64_t issue) const {
    return row<schema::IssueCounters>(buffer::Table::issue_counters, buffer::Key().u64(issue));
  }
  template <class Row>
  Row row(buffer::Table table, std::string_view key) const {
    const auto found = buffer::find_row<Row>(tables->snapshot(), table, key);
    EXPECT_TRUE(found) << buffer::table_name(table);
    return found.value_or(Row());
  }
  schema::TagCount tag_count(std::uint64_t issue,
                             std::string_view key,
                             std::string_view value) const {
    const auto row_key = buffer::Key().u64(issue).text(key).text(value);
    return buffer::find_row<schema::TagCount>(tables->snapshot(), buffer::Table::issue_tags,
                                              row_key)
        .value_or(schema::TagCount());
  }

  // Sums over hours and keys: "error accepted", "attachment invalid/duplicate" …
  std::map<std::string, std::uint64_t> outcomes(std::uint64_t project = test_project) const {
    std::map<std::string, std::uint64_t> sums;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(buffer::Table::outcomes);
    for (bool there = cursor.first(); there; there = cursor.next()) {
      buffer::KeyReader key(cursor.key());
      if (key.u64() != project) continue;
      key.u64();
      const auto category = static_cast<relay::DataCategory>(key.u8());
      const auto outcome = static_cast<relay::Outcome>(key.u8());
      const std::string reason(key.text());
      const std::string name = std::string(wire_name(category)) + " " +
                               std::string(wire_name(outcome)) +
                               (reason.empty() ? "" : "/" + reason);
      sums[name] += buffer::parse_row<schema::Count>(cursor.value()).quantity();
    }
    return sums;
  }

  // Everything the digest wrote, byte for byte, but the cursor's time of writing. Facts one by one:
  // how they are put together in blocks follows the batches. The value of zeros that keeps the file's pages in order is nobody's.
  std::map<std::pair<int, std::string>, std::string> everything() const {
    std::map<std::pair<int, std::string>, std::string> all;
    const auto snapshot = tables->snapshot();
    for (std::size_t i = 0; i < buffer::table_count; ++i) {
      const auto table = static_cast<buffer::Table>(i);
      auto cursor = snapshot.cursor(table);
      for (bool there = cursor.first(); there; there = cursor.next()) {
        if (table == buffer::Table::facts) {
          add_facts(cursor.key(), cursor.value(), all);
        } else if (table == buffer::Table::event_id_runs) {
          add_ids(cursor.key(), cursor.value(), all);
        } else if (table != buffer::Table::meta || cursor.key() != "page_order") {
          all[{static_cast<int>(i), std::string(cursor.key())}] = std::string(cursor.value());
        }
      }
    }
    return all;
  }
  // Which run an id is in depends on the batches; that it is in one, and what it says, does not.
  static void add_ids(std::string_view key,
                      std::string_view value,
                      std::map<std::pair<int, std::string>, std::string>& all) {
    const auto run = buffer::IdRun::parse(value);
    ASSERT_TRUE(run);
    std::vector<buffer::HashedId> ids;
    run->read(ids);
    for (const auto& id : ids) {
      const auto name = buffer::Key().raw(key.substr(0, 8)).u64(id.sequence).u16(id.item);
      const auto added = all.emplace(std::pair(static_cast<int>(buffer::Table::event_id_runs), std::string(name.view())),
                                     std::to_string(id.hash));
      ASSERT_TRUE(added.second);
    }
  }
  static void add_facts(std::string_view key,
                        std::string_view value,
                        std::map<std::pair<int, std::string>, std::string>& all) {
    const auto block = facts::BlockView::parse(value);
    ASSERT_TRUE(block);
    facts::FactRows decoded;
    ASSERT_TRUE(facts::decode_block(*block, facts::Dataset::spans, 0, decoded));
    for (std::size_t i = 0; i < decoded.size(); ++i) {
      const auto& row = decoded.row(i);
      const auto name = buffer::Key().raw(key.substr(0, 9)).u64(row.place.sequence).u16(row.place.item).u32(row.place.index);
      std::map<std::string, std::string> values{{"@time", std::to_string(row.time_ns)}};
      for (std::uint32_t c = 0; c < row.cells; ++c) {
        const auto& cell = decoded.cells(row)[c];
        const auto& column = decoded.columns()[cell.column];
        values[column.name] = facts::is_bytes(column.type) ? std::string(decoded.text_of(cell.bits)) : std::to_string(cell.bits);
      }
      std::string text;
      for (const auto& [column, shown] : values) text += column + "=" + shown + ";";
      all[{static_cast<int>(buffer::Table::facts), std::string(name.view())}] = text;
    }
  }

  testing::TempDir folder;
  testing::FakeClock clock;
  testing::FakeJournal journal;
  std::unique_ptr<buffer::Tables> tables;
  DigestCounters counters;
  std::uint64_t last_id = 0;
};

}  // namespace picket::digest
