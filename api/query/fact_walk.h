// The walk over blocks that lists, groups and series share: blocks by their time and summaries, rows by
// the condition, until the deadline or the end of the memory.
//
// THREADS  A FactWalk belongs to one question and its thread.
#pragma once

#include "api/facts/store.h"
#include "api/query/fact_search.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace picket::query {

constexpr std::int64_t ns_per_ms = 1'000'000;

// A condition's parts about rows, and those about aggregates, which are about groups.
struct SplitCondition {
  Condition rows;
  std::vector<Condition> groups;
};
SplitCondition split_condition(const Condition& condition);

class FactWalk {
 public:
  FactWalk(const buffer::Reader& reader, const FactRequest& request, const FactFilter& filter)
      : reader_(reader), request_(request), filter_(filter), issues_(reader), budget_(request.most_bytes),
        end_(Stopwatch::now() + request.deadline) {}

  AnswerBudget& budget() { return budget_; }

  // `wanted` may pass over a whole block; `visit` gets the fields of a block and the numbers of those of its
  // rows that match, ascending, if there are any; false to stop.
  template <class Wanted, class Visit>
  Result<void> run_blocks(Wanted wanted, Visit visit) {
    bool late = false;
    for (const auto& project : request_.projects) {
      bool stopped = false;
      facts::for_each_block(reader_, request_.dataset, project.id, [&](const facts::BlockView& block) {
        if (Stopwatch::now() >= end_) late = true;
        if (late) return false;
        const bool in_time = block.latest_ns() >= request_.from_ms * ns_per_ms &&
                             block.earliest_ns() < request_.to_ms * ns_per_ms;
        if (!in_time || !wanted(block) || !filter_.may_match(block, project)) return true;
        BlockFields fields(request_.dataset, project, block, issues_, &budget_);
        const auto rows = select(fields);
        stopped = budget_.exhausted() || (!rows.empty() && !visit(fields, rows)) || budget_.exhausted();
        return !stopped;
      });
      if (late) return too_late();
      if (budget_.exhausted()) return budget_.error();
      if (stopped) break;
    }
    return {};
  }
  template <class Visit>
  Result<void> run_blocks(Visit visit) {
    return run_blocks([](const facts::BlockView&) { return true; }, std::move(visit));
  }

  // Row by row.
  template <class Wanted, class Visit>
  Result<void> run(Wanted wanted, Visit visit) {
    return run_blocks(std::move(wanted), [&](BlockFields& fields, std::span<const std::uint32_t> rows) {
      return std::ranges::all_of(rows, [&](std::uint32_t row) { return visit(fields, row) && !budget_.exhausted(); });
    });
  }
  template <class Visit>
  Result<void> run(Visit visit) {
    return run([](const facts::BlockView&) { return true; }, std::move(visit));
  }

 private:
  using Stopwatch = std::chrono::steady_clock;

  static Error too_late();
  // The rows that match, until the next call. Columns are read only where the block's summaries leave it open.
  std::span<const std::uint32_t> select(BlockFields& fields);

  const buffer::Reader& reader_;
  const FactRequest& request_;
  const FactFilter& filter_;
  FactIssues issues_;
  AnswerBudget budget_;
  const Stopwatch::time_point end_;
  std::vector<std::uint32_t> every_;  // 0, 1, 2 …
  std::vector<std::uint32_t> selected_;
};

}  // namespace picket::query
