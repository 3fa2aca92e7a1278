// How fast the journal makes records durable: closed loops of 1 to 256 that wait for their answer, and
// beside it what the disk's own fdatasync costs.
//
//   journal_bench [FOLDER]        a folder on the disk in question; default: the current one

#include "buffer/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

using Steady = std::chrono::steady_clock;

double microseconds(Steady::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

double percentile(std::vector<double>& samples, double share) {
  if (samples.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1));
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(at), samples.end());
  return samples[at];
}

// 4 KB each into a file whose pages are written already: what a commit costs at the very least.
double fdatasync_p50(const std::filesystem::path& folder) {
  const auto path = folder / "plain";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const std::string page(4096, 'x');
  constexpr int rounds = 1000;
  for (int i = 0; i < rounds; ++i) {
    if (::pwrite(file, page.data(), page.size(), i * 4096) < 0) return 0;
  }
  ::fsync(file);
  std::vector<double> took;
  for (int i = 0; i < rounds; ++i) {
    const auto began = Steady::now();
    if (::pwrite(file, page.data(), page.size(), i * 4096) < 0) return 0;
    ::fdatasync(file);
    took.push_back(microseconds(Steady::now() - began));
  }
  ::close(file);
  return percentile(took, 0.5);
}

struct Measured {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double records_per_commit = 0;
};

// Each of `waiting` offers its next record when the last is answered, from the committer's own thread.
class ClosedLoop {
 public:
  ClosedLoop(Journal& journal, std::size_t body_bytes, std::size_t waiting)
      : journal_(journal), body_(body_bytes, 'x'), waiting_(waiting) {
    for (std::size_t i = 0; i < body_.size(); ++i) body_[i] = static_cast<char>(i * 2654435761U >> 13);
  }

  Measured run(std::chrono::milliseconds time) {
    const auto before = journal_.use();
    const auto began = Steady::now();
    until_ = began + time;
    left_ = waiting_;
    for (std::size_t i = 0; i < waiting_; ++i) offer_one();
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return left_ == 0; });
    const auto seconds = std::chrono::duration<double>(Steady::now() - began).count();
    const auto after = journal_.use();
    const auto records = static_cast<double>(after.committed_records - before.committed_records);
    return {records / seconds, percentile(took_, 0.5), percentile(took_, 0.99),
            records / static_cast<double>(after.commits - before.commits)};
  }

 private:
  void offer_one() {
    Record record;
    record.project = 1;
    record.key.assign(16, 'k');
    record.meta.assign(90, 'm');
    record.body = body_;
    const auto began = Steady::now();
    const auto offered = journal_.offer(std::move(record), [this, began](const Result<Sequence>& stored) {
      const auto now = Steady::now();
      {
        const std::lock_guard lock(mutex_);
        if (stored) took_.push_back(microseconds(now - began));
      }
      if (now < until_ && stored) {
        offer_one();
      } else {
        leave();
      }
    });
    if (!offered) leave();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) ended_.notify_all();
  }

  Journal& journal_;
  std::string body_;
  const std::size_t waiting_;
  Steady::time_point until_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t left_ = 0;
  std::vector<double> took_;
};

int run(const std::filesystem::path& where) {
  const auto folder = where / "journal_bench.tmp";
  std::filesystem::create_directories(folder);
  std::printf("fdatasync of 4 KB, written pages: p50 %.0f us\n", fdatasync_p50(folder));
  std::printf("%8s %8s %12s %9s %9s %9s %14s\n", "bytes", "waiting", "records/s", "MB/s", "p50 us", "p99 us",
              "records/commit");
  for (const std::size_t bytes : {2048U, 8192U}) {
    const SystemClock clock;
    JournalOptions options;
    options.folder = folder / std::to_string(bytes);
    options.max_bytes = std::uint64_t{4} << 30;
    auto opened = Journal::open(options, clock);
    if (!opened) {
      std::fprintf(stderr, "%s\n", opened.error().detail.c_str());
      return 1;
    }
    auto& journal = **opened;
    for (const std::size_t waiting : {1U, 8U, 64U, 256U}) {
      const auto measured = ClosedLoop(journal, bytes, waiting).run(std::chrono::seconds(3));
      std::printf("%8zu %8zu %12.0f %9.1f %9.0f %9.0f %14.1f\n", bytes, waiting, measured.per_second,
                  measured.per_second * static_cast<double>(bytes) / 1e6, measured.p50_us, measured.p99_us,
                  measured.records_per_commit);
      std::fflush(stdout);
      if (!journal.recycle_before(journal.use().next)) return 1;
    }
  }
  std::filesystem::remove_all(folder);
  std::printf("fdatasync once more: p50 %.0f us\n", fdatasync_p50(where));
  std::filesystem::remove(where / "plain");
  return 0;
}

}  // namespace
}  // namespace picket::buffer

int main(int count, char** words) {
  return picket::buffer::run(count > 1 ? words[1] : ".");
}
