#include "relay/ingest/counters.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace picket::ingest {
namespace {

constexpr std::array<unsigned, 17> statuses{200, 201, 202, 204, 400, 401, 403, 404, 405,
                                            409, 410, 412, 413, 415, 429, 500, 503};

std::size_t status_slot(unsigned status) {
  const auto* found = std::find(statuses.begin(), statuses.end(), status);
  return static_cast<std::size_t>(found - statuses.begin());  // past the end: others
}

// Upper bounds in microseconds and as Prometheus writes them.
struct Bucket {
  std::uint64_t most_us;
  std::string_view le;
};
constexpr std::array<Bucket, 14> buckets{{{250, "0.00025"},
                                          {500, "0.0005"},
                                          {1'000, "0.001"},
                                          {2'000, "0.002"},
                                          {5'000, "0.005"},
                                          {10'000, "0.01"},
                                          {15'000, "0.015"},
                                          {25'000, "0.025"},
                                          {50'000, "0.05"},
                                          {100'000, "0.1"},
                                          {250'000, "0.25"},
                                          {500'000, "0.5"},
                                          {1'000'000, "1"},
                                          {2'500'000, "2.5"}}};

void render_type(std::string& out, std::string_view name, std::string_view kind) {
  out.append("# TYPE ").append(name).append(" ").append(kind).append("\n");
}

void render_line(std::string& out,
                 std::string_view name,
                 std::string_view labels,
                 std::uint64_t value) {
  out.append(name).append(labels).append(" ").append(std::to_string(value)).append("\n");
}

void render_number(std::string& out, double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.begin(), text.end(), value).ptr;
  out.append(text.begin(), end);
}

}  // namespace

void Counters::count_answer(Endpoint endpoint, unsigned status) {
  static_assert(status_count == statuses.size() + 1);
  add(answers_.at(static_cast<std::size_t>(endpoint)).at(status_slot(status)), 1);
}

void Counters::count_received(const ItemCount& items) {
  add(received_.at(static_cast<std::size_t>(items.category)), items.quantity);
}

void Counters::count_dropped(relay::Outcome outcome,
                             std::string_view reason,
                             std::uint64_t quantity) {
  const std::lock_guard lock(mutex_);
  dropped_[{outcome, std::string(reason)}] += quantity;
}

void Counters::begin_waiting(std::size_t bytes) {
  add(waiting_, 1);
  add(waiting_bytes_, bytes);
}

void Counters::end_waiting(std::size_t bytes) {
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

void Counters::count_acknowledged(std::chrono::nanoseconds took) {
  static_assert(bucket_count == buckets.size());
  const auto us = static_cast<std::uint64_t>(took.count()) / 1000;
  const auto* bucket = std::find_if(buckets.begin(), buckets.end(),
                                    [&](const Bucket& b) { return us <= b.most_us; });
  add(latency_.at(static_cast<std::size_t>(bucket - buckets.begin())), 1);
  add(latency_sum_ns_, static_cast<std::uint64_t>(took.count()));
}

std::uint64_t Counters::answers(Endpoint endpoint, unsigned status) const {
  return answers_.at(static_cast<std::size_t>(endpoint)).at(status_slot(status));
}

std::uint64_t Counters::received() const {
  std::uint64_t sum = 0;
  for (const auto& count : received_)
    sum += count;
  return sum;
}

std::uint64_t Counters::dropped(relay::Outcome outcome, std::string_view reason) const {
  const std::lock_guard lock(mutex_);
  const auto found = dropped_.find({outcome, std::string(reason)});
  return found == dropped_.end() ? 0 : found->second;
}

std::uint64_t Counters::dropped() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : dropped_)
    sum += count;
  return sum;
}

std::uint64_t Counters::acknowledged() const {
  std::uint64_t sum = 0;
  for (const auto& count : latency_)
    sum += count;
  return sum;
}

void Counters::render(std::string& out) const {
  render_answers(out);
  render_items(out);
  render_latency(out);
  render_metric(out, "picket_ingest_waiting_records", "gauge", waiting_.load());
  render_metric(out, "picket_ingest_waiting_bytes", "gauge", waiting_bytes_.load());
}

void Counters::render_answers(std::string& out) const {
  constexpr std::string_view name = "picket_requests_total";
  render_type(out, name, "counter");
  for (std::size_t endpoint = 0; endpoint < endpoint_count; ++endpoint) {
    for (std::size_t slot = 0; slot < status_count; ++slot) {
      const auto count = answers_.at(endpoint).at(slot).load();
      if (count == 0) continue;
      const auto status = slot < statuses.size() ? std::to_string(statuses.at(slot)) : "other";
      std::string labels = R"({endpoint=")";
      labels.append(endpoint_name(static_cast<Endpoint>(endpoint)));
      labels.append(R"(",status=")").append(status).append("\"}");
      render_line(out, name, labels, count);
    }
  }
}

void Counters::render_items(std::string& out) const {
  render_metric(out, "picket_envelopes_received_total", "counter", envelopes_.load());
  render_type(out, "picket_items_received_total", "counter");
  for (std::size_t category = 0; category < received_.size(); ++category) {
    const auto count = received_.at(category).load();
    if (count == 0) continue;
    std::string labels = R"({category=")";
    labels.append(relay::wire_name(static_cast<relay::DataCategory>(category))).append("\"}");
    render_line(out, "picket_items_received_total", labels, count);
  }
  render_type(out, "picket_items_dropped_total", "counter");
  const std::lock_guard lock(mutex_);
  for (const auto& [why, count] : dropped_) {
    std::string labels = R"({outcome=")";
    labels.append(relay::wire_name(why.first))
        .append(R"(",reason=")")
        .append(why.second)
        .append("\"}");
    render_line(out, "picket_items_dropped_total", labels, count);
  }
}

void Counters::render_latency(std::string& out) const {
  constexpr std::string_view name = "picket_ack_seconds";
  render_type(out, name, "histogram");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    sum += latency_.at(i).load();
    std::string labels = R"({le=")";
    labels.append(buckets.at(i).le).append("\"}");
    render_line(out, "picket_ack_seconds_bucket", labels, sum);
  }
  sum += latency_.back().load();
  render_line(out, "picket_ack_seconds_bucket", R"({le="+Inf"})", sum);
  out.append("picket_ack_seconds_sum ");
  render_number(out, static_cast<double>(latency_sum_ns_.load()) / 1e9);
  out.append("\n");
  render_line(out, "picket_ack_seconds_count", {}, sum);
}

void render_metric(std::string& out,
                   std::string_view name,
                   std::string_view kind,
                   std::uint64_t value) {
  render_type(out, name, kind);
  render_line(out, name, {}, value);
}

void render_metric(std::string& out, std::string_view name, std::string_view kind, double value) {
  render_type(out, name, kind);
  out.append(name).append(" ");
  render_number(out, value);
  out.append("\n");
}

}  // namespace picket::ingest
