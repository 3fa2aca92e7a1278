#include "upstream/project_configs.h"

#include "relay/protocol/json_object.h"
#include "relay/protocol/rate_limits.h"
#include "upstream/backoff.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

// As Relay's cache.project_expiry, cache.project_grace_period and cache.miss_expiry.
constexpr std::chrono::seconds fresh_for(300);
constexpr std::chrono::seconds usable_for(420);
constexpr std::chrono::seconds disabled_for(60);
constexpr std::chrono::hours kept_for(1);
// A config is some 20 KB: an answer stays far below what one may take.
constexpr std::size_t keys_at_once = 100;
// Before what is being made over there is asked for again, and at most.
constexpr std::chrono::milliseconds pending_pause(100);
constexpr std::chrono::seconds longest_pending_pause(60);

const ProjectConfigs::Known taken_unseen;

}  // namespace

const ProjectConfigs::Known* ProjectConfigs::look(const std::string& key, Steady::time_point now) {
  if (now < without_until_) return &taken_unseen;
  auto& entry = entries_[key];
  entry.looked_at = now;
  const auto age = now - entry.since;
  const Duration longest = entry.known.disabled ? std::min<Duration>(disabled_for, pauses_.hold_probe) : Duration(usable_for);
  if (entry.there && !entry.wanted && age >= longest) entry.there = false;
  const bool old = !entry.there || age >= fresh_for;
  if (old && !entry.wanted) {
    entry.wanted = true;
    ++wanted_;
  }
  return entry.there ? &entry.known : nullptr;
}

bool ProjectConfigs::awaits(const std::string& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second.wanted && !found->second.there;
}

Duration ProjectConfigs::due_in(Steady::time_point now) const {
  if (wanted_ == 0) return Duration::max();
  return std::max(std::chrono::ceil<Duration>(due_ - now), Duration(0));
}

std::string ProjectConfigs::ask() {
  std::string keys, revisions;
  std::size_t count = 0;
  for (auto& [key, entry] : entries_) {
    if (!entry.wanted || count == keys_at_once) continue;
    entry.asked = true;
    const char* const comma = count++ == 0 ? "" : ",";
    keys += comma + relay::render_json_string(key);
    revisions += comma + (entry.there && !entry.revision.empty() ? relay::render_json_string(entry.revision) : std::string("null"));
  }
  return R"({"publicKeys":[)" + keys + R"(],"revisions":[)" + revisions + R"(],"fullConfig":false,"noCache":false,"global":false})";
}

void ProjectConfigs::give_up() {
  for (auto& [key, entry] : entries_) entry.asked = false;
}

bool ProjectConfigs::on_answered(const Answer& answer, Time time, Steady::time_point now) {
  const auto judgement = judge(answer);
  const auto asked = answer.retry_after.empty() ? std::nullopt : relay::parse_retry_after(answer.retry_after, time);
  const auto at_least = std::clamp<Duration>(asked.value_or(Duration(0)), Duration(0), std::chrono::hours(24));
  bool known_to_it = true;
  if (judgement.verdict == Verdict::delivered) {
    if (!read(answer.body, now)) fail("the answer about projects cannot be read", Duration(0), now);
  } else if (judgement.verdict == Verdict::retry || judgement.verdict == Verdict::wait) {
    fail("project configs: " + judgement.reason, at_least, now);
  } else if (answer.status == 401 || answer.status == 403) {
    known_to_it = false;
    fail("project configs: " + judgement.reason, Duration(0), now);
  } else {
    // It speaks no such protocol, or not this version of it: then it judges what it gets.
    without_until_ = now + pauses_.hold_probe;
    entries_.clear();
    wanted_ = 0;
    failure_.clear();
  }
  give_up();
  return known_to_it;
}

void ProjectConfigs::fail(std::string words, Duration at_least, Steady::time_point now) {
  failure_ = std::move(words);
  due_ = now + std::max(at_least, jittered(pauses_.retry_min, pauses_.retry_max, ++failures_));
}

bool ProjectConfigs::read(std::string_view answer, Steady::time_point now) {
  std::string_view configs, unchanged = "[]";
  relay::JsonObjectReader reader(answer);
  while (const auto member = reader.next()) {
    if (member->named("configs") && member->is_object()) configs = member->value;
    if (member->named("unchanged") && !member->is_null()) unchanged = member->value;
  }
  if (reader.failure() || configs.empty()) return false;
  relay::JsonObjectReader each(configs);
  while (const auto member = each.next()) {
    const auto found = entries_.find(relay::unescape_json(member->key));
    if (found != entries_.end() && found->second.asked) settle(found->second, member->value, now);
  }
  const auto same = relay::JsonObjectReader::split_array(unchanged, keys_at_once);
  for (const auto key : same ? *same : std::vector<std::string_view>()) {
    const auto found = key.starts_with('"') ? entries_.find(relay::unescape_json(key.substr(1, key.size() - 2))) : entries_.end();
    // Of one that we have meanwhile dropped nothing was said: it is asked for anew.
    if (found == entries_.end() || !found->second.asked || !found->second.there) continue;
    found->second.since = now;
    found->second.wanted = found->second.asked = false;
    --wanted_;
  }
  failure_.clear();
  const bool pending = std::any_of(entries_.begin(), entries_.end(), [](const auto& one) { return one.second.asked; });
  failures_ = pending ? failures_ + 1 : 0;
  due_ = pending ? now + std::min<Duration>(pending_pause * (1 << std::min(failures_, 12U)) / 2, longest_pending_pause) : now;
  forget_unused(now);
  return true;
}

// `null` stands for a project that is not there.
void ProjectConfigs::settle(Entry& entry, std::string_view config, Steady::time_point now) {
  Entry fresh;
  fresh.known.disabled = !config.starts_with('{');
  relay::JsonObjectReader reader(config);
  while (!fresh.known.disabled) {
    const auto member = reader.next();
    if (!member) break;
    if (member->named("disabled")) fresh.known.disabled = member->value == "true";
    if (member->named("projectId")) fresh.known.project = relay::parse_whole_number(member->value).value_or(0);
    if (member->named("rev") && member->is_string()) fresh.revision = relay::unescape_json(member->raw_text());
  }
  fresh.there = true;
  fresh.since = now;
  fresh.looked_at = entry.looked_at;
  entry = std::move(fresh);
  --wanted_;
}

void ProjectConfigs::forget_unused(Steady::time_point now) {
  std::erase_if(entries_, [&](const auto& one) { return !one.second.wanted && now - one.second.looked_at > kept_for; });
}

std::size_t ProjectConfigs::disabled() const {
  const auto count = std::count_if(entries_.begin(), entries_.end(), [](const auto& one) { return one.second.there && one.second.known.disabled; });
  return static_cast<std::size_t>(count);
}

void ProjectConfigs::hasten(Steady::time_point now) {
  failures_ = 0;
  due_ = now;
}

}  // namespace picket::upstream
