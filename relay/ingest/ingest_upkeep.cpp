// What ingest does beside taking things in: its metrics, its account, and what it tidies up.
#include "buffer/logger.h"
#include "relay/ingest/ingest.h"

#include <chrono>
#include <utility>

namespace picket::ingest {

bool Ingest::ready() const {
  return !draining_ && !journal_.full() && !ledger_->last_commit_failed;
}

void Ingest::add_metrics(std::function<void(std::string& out)> section) {
  const std::lock_guard lock(mutex_);
  sections_.push_back(std::move(section));
}

std::string Ingest::render_metrics() const {
  std::string out;
  ledger_->counters.render(out);
  render_journal(out);
  std::vector<std::function<void(std::string&)>> sections;
  {
    const std::lock_guard lock(mutex_);
    sections = sections_;
  }
  for (const auto& section : sections)
    section(out);
  return out;
}

void Ingest::render_journal(std::string& out) const {
  const auto use = journal_.use();
  const auto seconds = [](auto duration) {
    return std::chrono::duration<double>(duration).count();
  };
  render_metric(out, "picket_journal_first_sequence", "gauge", use.first);
  render_metric(out, "picket_journal_next_sequence", "gauge", use.next);
  render_metric(out, "picket_journal_file_bytes", "gauge", use.file_bytes);
  render_metric(out, "picket_journal_used_bytes", "gauge", use.used_bytes);
  render_metric(out, "picket_journal_commits_total", "counter", use.commits);
  render_metric(out, "picket_journal_records_total", "counter", use.committed_records);
  render_metric(out, "picket_journal_failed_commits_total", "counter", use.failed_commits);
  render_metric(out, "picket_journal_commit_seconds_total", "counter", seconds(use.commit_time));
  render_metric(out, "picket_journal_last_commit_seconds", "gauge", seconds(use.last_commit_took));
  render_metric(out, "picket_journal_last_commit_timestamp_seconds", "gauge",
                seconds(use.last_commit.time_since_epoch()));
  render_metric(out, "picket_journal_recompressed_segments_total", "counter", use.recompressed_segments);
  render_metric(out, "picket_journal_recompressed_before_bytes_total", "counter", use.recompressed_before_bytes);
  render_metric(out, "picket_journal_recompressed_after_bytes_total", "counter", use.recompressed_after_bytes);
  render_metric(out, "picket_journal_full", "gauge", std::uint64_t{use.full ? 1U : 0U});
  render_metric(out, "picket_journal_room_step", "gauge", static_cast<std::uint64_t>(use.step));
  render_metric(out, "picket_journal_room_bytes", "gauge", use.room_bytes);
  render_metric(out, "picket_journal_set_aside_segments", "gauge", std::uint64_t{journal_.set_aside().size()});
  if (use.disk_free_bytes != ~std::uint64_t{0}) render_metric(out, "picket_disk_free_bytes", "gauge", use.disk_free_bytes);
  if (upload_store_) {
    render_metric(out, "picket_uploads", "gauge", std::uint64_t{upload_store_->size()});
    render_metric(out, "picket_upload_bytes", "gauge", upload_store_->used_bytes());
  }
  render_metric(out, "picket_ready", "gauge", std::uint64_t{ready() ? 1U : 0U});
}

void Ingest::flush_outcomes() {
  const std::lock_guard lock(flushing_);
  auto counts = ledger_->book.take();
  // After a failed commit an empty account is written too: no SDK may dare to try again first.
  if (!counts && !ledger_->last_commit_failed) return;
  const auto shared = std::make_shared<schema::OutcomeCounts>(counts ? *std::move(counts)
                                                                     : schema::OutcomeCounts());
  buffer::Record record;
  record.kind = buffer::RecordKind::outcomes;
  record.received = clock_.now();
  record.body = shared->SerializeAsString();
  const auto give_back = [shared, ledger = ledger_](const Error& error) {
    ledger->book.put_back(*shared);
    if (ledger->outcomes_late.exchange(true)) return;
    log(Level::warning, "ingest", "outcomes wait in memory", {{"reason", error.detail}});
  };
  const auto offered = journal_.offer(
      std::move(record), [give_back, ledger = ledger_](const Result<buffer::Sequence>& durable) {
        ledger->last_commit_failed = !durable;
        if (!durable) return give_back(durable.error());
        ledger->outcomes_late = false;
      });
  if (!offered) give_back(offered.error());
}

void Ingest::refresh_projects() {
  directory_.refresh(std::chrono::steady_clock::now());
  upstream_limits_.refresh();
}

void Ingest::tidy_uploads() {
  if (uploads_) uploads_->tidy();
}

void Ingest::keep_up(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds pace{250};
  constexpr int paces_per_flush = 4;
  constexpr int paces_per_tidying = 240;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  for (int paces = 1; !stop.stop_requested(); ++paces) {
    wake_.wait_for(lock, stop, pace, [] { return false; });
    refresh_projects();
    tidy_uploads();
    if (paces % paces_per_flush == 0) flush_outcomes();
    if (paces % paces_per_tidying == 0) quotas_.forget_idle(clock_.now());
  }
}

}  // namespace picket::ingest
