#include "upstream/registration.h"

#include "relay/protocol/json_object.h"
#include "relay/protocol/rate_limits.h"
#include "upstream/backoff.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace picket::upstream {
namespace {

// Of the Relay whose protocol this is: upstreams decide by it what they expect.
constexpr std::string_view protocol_version = "26.4.0";
constexpr auto never = std::chrono::steady_clock::time_point::max();

std::optional<std::string> find_text(std::string_view json, std::string_view name) {
  std::optional<std::string> found;
  relay::JsonObjectReader reader(json);
  while (const auto member = reader.next()) {
    if (member->named(name) && member->is_string()) found = relay::unescape_json(member->raw_text());
  }
  return reader.failure() ? std::nullopt : found;
}

}  // namespace

bool says_stop(std::string_view answer) {
  return find_text(answer, "relay") == "stop";
}

Duration Registration::due_in(Steady::time_point now) const {
  if (due_ == never) return Duration::max();
  return std::max(std::chrono::ceil<Duration>(due_ - now), Duration(0));
}

Registration::Question Registration::ask(const relay::RelayIdentity& identity) const {
  const std::string begin = R"({"relay_id":")" + identity.id() + R"(",)";
  const std::string end = R"(,"version":")" + std::string(protocol_version) + "\"}";
  if (token_.empty()) {
    return {"/api/0/relays/register/challenge/", begin + R"("public_key":")" + identity.public_key() + '"' + end};
  }
  return {"/api/0/relays/register/response/", begin + R"("token":)" + relay::render_json_string(token_) + end};
}

void Registration::on_answered(const Answer& answer, Time time, Steady::time_point now) {
  const auto judgement = judge(answer);
  const bool was_response = !std::exchange(token_, {}).empty();
  switch (judgement.verdict) {
    case Verdict::retry:
    case Verdict::wait: {
      const auto asked = answer.retry_after.empty() ? std::nullopt : relay::parse_retry_after(answer.retry_after, time);
      return fail(judgement.reason, std::clamp<Duration>(asked.value_or(Duration(0)), Duration(0), std::chrono::hours(24)), now);
    }
    case Verdict::delivered: break;
    case Verdict::recode:
    case Verdict::hold:
    case Verdict::refuse:
      // A challenge that was answered too late is no refusal: the next one is.
      if (was_response && answer.status == 401) return fail(judgement.reason, Duration(0), now);
      deny(judgement.reason, now);
      if (says_stop(answer.body)) due_ = never;
      return;
  }
  if (!was_response) {
    auto token = find_text(answer.body, "token");
    if (!token || token->empty()) return fail("the answer to a registration holds no token", Duration(0), now);
    token_ = *std::move(token);
    due_ = now;
    return;
  }
  registered_ = true;
  ++generation_;
  failures_ = 0;
  denied_.clear();
  failure_.clear();
  due_ = pauses_.every.count() == 0 ? never : now + pauses_.every;
}

void Registration::fail(std::string words, Duration at_least, Steady::time_point now) {
  failure_ = std::move(words);
  ++failures_;
  due_ = now + std::max(at_least, jittered(pauses_.retry_min, pauses_.retry_max, failures_));
}

void Registration::deny(std::string words, Steady::time_point now) {
  registered_ = false;
  failure_.clear();
  denied_ = std::move(words);
  due_ = now + pauses_.hold_probe;
}

bool Registration::doubt(std::uint64_t generation, std::string_view answer, Steady::time_point now) {
  if (says_stop(answer)) {
    deny("it asks us to stop", now);
    due_ = never;
    return true;
  }
  if (generation != generation_ || !registered_) return true;
  if (doubted_) return false;
  registered_ = false;
  doubted_ = true;
  due_ = now;
  return true;
}

void Registration::hasten(Steady::time_point now) {
  if (registered_ || !denied_.empty()) return;
  failures_ = 0;
  due_ = now;
}

void Registration::resume(Steady::time_point now) {
  doubted_ = false;
  denied_.clear();
  hasten(now);
}

}  // namespace picket::upstream
