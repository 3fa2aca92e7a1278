#include "support/upstream_script.h"

#include "buffer/settings.h"

#include <charconv>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace picket::testing {
namespace {

using Steady = std::chrono::steady_clock;

struct Step {
  Reply reply;
  std::uint64_t every = 1;
  std::uint64_t times = 0;            // 0: no matter how often
  std::chrono::milliseconds lasts{0}; // 0: no matter how long
};

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool take_reply(std::string_view word, Reply& reply) {
  if (word == "html") return reply = portal_page(), true;
  if (word == "reset") return reply.way = Reply::Way::reset, true;
  if (word == "cut") return reply.way = Reply::Way::cut, true;
  if (word == "stall") return reply.way = Reply::Way::stall, true;
  const auto status = parse_number(word);
  if (!status || *status < 200 || *status > 599) return false;
  reply.status = static_cast<unsigned>(*status);
  return true;
}

bool take_option(std::string_view word, Reply& reply) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const auto name = word.substr(0, equals);
  const std::string value(word.substr(equals + 1));
  if (name == "retry-after") return reply.headers.emplace_back("Retry-After", value), true;
  if (name == "limits") return reply.headers.emplace_back("X-Sentry-Rate-Limits", value), true;
  const auto delay = parse_duration(value);
  if (name != "delay" || !delay) return false;
  reply.delay = *delay;
  return true;
}

std::optional<Step> parse_step(const std::vector<std::string>& words) {
  Step step;
  std::size_t at = 0;
  if (words.size() > 2 && words[0] == "every") {
    std::string count = words[1];
    if (count.ends_with(':')) count.pop_back();
    const auto every = parse_number(count);
    if (!every || *every == 0) return std::nullopt;
    step.every = *every;
    at = 2;
  }
  if (at >= words.size() || !take_reply(words[at++], step.reply)) return std::nullopt;
  for (; at < words.size(); ++at) {
    if (take_option(words[at], step.reply)) continue;
    const bool two = at + 1 < words.size();
    if (two && words[at] == "for") {
      const auto lasts = parse_duration(words[++at]);
      if (!lasts) return std::nullopt;
      step.lasts = *lasts;
    } else if (two && words[at] == "x") {
      const auto times = parse_number(words[++at]);
      if (!times) return std::nullopt;
      step.times = *times;
    } else {
      return std::nullopt;
    }
  }
  return step;
}

struct Progress {
  std::vector<Step> steps;
  std::size_t current = 0;
  std::uint64_t seen = 0;  // requests of the current step
  Steady::time_point since{};
};

Reply next_reply(Progress& progress) {
  const auto now = Steady::now();
  if (progress.since == Steady::time_point()) progress.since = now;
  while (progress.current < progress.steps.size()) {
    const Step& step = progress.steps[progress.current];
    const bool over = (step.times != 0 && progress.seen >= step.times) ||
                      (step.lasts.count() != 0 && now - progress.since >= step.lasts);
    if (!over) break;
    ++progress.current;
    progress.seen = 0;
    progress.since = now;
  }
  if (progress.current >= progress.steps.size()) return {};
  const Step& step = progress.steps[progress.current];
  return ++progress.seen % step.every == 0 ? step.reply : Reply();
}

}  // namespace

std::optional<FakeUpstream::Rule> parse_upstream_script(std::string_view text) {
  auto progress = std::make_shared<Progress>();
  std::istringstream in{std::string(text)};
  std::vector<std::string> words;
  const auto end_step = [&] {
    auto step = parse_step(words);
    words.clear();
    if (!step) return false;
    progress->steps.push_back(*std::move(step));
    return true;
  };
  for (std::string word; in >> word;) {
    if (word != "then") {
      words.push_back(word);
    } else if (!end_step()) {
      return std::nullopt;
    }
  }
  if (!end_step()) return std::nullopt;
  return [progress](const Received&) { return next_reply(*progress); };
}

}  // namespace picket::testing
