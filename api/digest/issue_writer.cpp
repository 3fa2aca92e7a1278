#include "api/digest/batch_writer.h"
#include "api/digest/issue_decision.h"
#include "api/digest/issue_life.h"
#include "api/digest/issue_state.h"
#include "api/digest/issue_texts.h"
#include "api/digest/issue_watch.h"
#include "api/digest/waiting_tags.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <unordered_map>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

// In the place of an issue: nobody wants to see events of this kind.
constexpr std::uint64_t discarded = ~std::uint64_t{0};

struct HashOfProject {
  std::uint64_t project = 0;
  GroupingHash hash;
  friend bool operator==(const HashOfProject&, const HashOfProject&) = default;
};
struct HashOfProjectHash {
  std::size_t operator()(const HashOfProject& of) const {
    // An md5 is as good a hash as any.
    std::size_t first = 0;
    std::memcpy(&first, of.hash.bytes.data(), sizeof first);
    return first ^ of.project;
  }
};

Key hash_key(std::uint64_t project, const GroupingHash& hash) {
  return std::move(Key().u64(project).raw(raw_bytes(hash)));
}

class IssueWriter {
 public:
  explicit IssueWriter(WriteContext& context) : context_(context), batch_(context.batch), watch_(context) {}

  void run() {
    for (const auto index : context_.kept) {
      const auto& event = context_.event(index);
      if (!event.has_issue) continue;
      const auto id = issue_for(event);
      if (id == discarded) {
        context_.discarded.push_back(index);
      } else {
        context_.issue_of[index] = id;
      }
    }
    drop_discarded();
    find_new_users();
    for (const auto index : context_.kept) {
      if (context_.event(index).has_issue) apply(index, *states_.at(context_.issue_of[index]));
    }
    write_snoozes();
    write_hashes();
    write_rows();
  }

 private:
  // The issue that one of the event's hashes names; a new one when none does. Hashes that nobody has
  // name it from now on, those of other issues stay with them.
  std::uint64_t issue_for(const DigestedEvent& event) {
    std::uint64_t id = 0;
    for (const auto& hash : event.hashes) {
      if (id == 0) id = find_issue({event.place.project, hash});
    }
    if (id == discarded) return id;
    if (id == 0) id = create(event);
    for (const auto& hash : event.hashes) {
      const HashOfProject of{event.place.project, hash};
      if (find_issue(of) != 0) continue;
      by_hash_[of] = id;
      new_hashes_.emplace_back(hash_key(event.place.project, hash), id);
    }
    return id;
  }

  // They leave nothing but their count: not even their ids, so that one sent again is discarded again.
  void drop_discarded() {
    if (context_.discarded.empty()) return;
    std::erase_if(context_.kept, [&](std::uint32_t index) {
      return std::ranges::binary_search(context_.discarded, index);
    });
  }

  // 0 when there is none, or it has been deleted.
  std::uint64_t find_issue(const HashOfProject& of) {
    if (const auto known = by_hash_.find(of); known != by_hash_.end()) return known->second;
    const auto stored = batch_.get(Table::issue_hashes, hash_key(of.project, of.hash));
    if (!stored) return 0;
    buffer::KeyReader value(*stored);
    const auto named = value.u64();
    const bool tombstone = named == 0 && value.rest().size() == sizeof named;
    const auto id = tombstone ? discarded : load(named);
    if (id != 0) by_hash_[of] = id;
    return id;
  }

  // Follows merges; 0 when the issue is gone.
  std::uint64_t load(std::uint64_t id) {
    for (int merges = 0; merges < 8 && id != 0; ++merges) {
      if (states_.contains(id)) return id;
      const auto row = batch_.get(Table::issues, Key().u64(id));
      if (!row) return 0;
      auto state = std::make_unique<IssueState>();
      if (!state->row.ParseFromArray(row->data(), static_cast<int>(row->size()))) return 0;
      if (state->row.merged_into() != 0) {
        id = state->row.merged_into();
        continue;
      }
      if (const auto counters = batch_.get(Table::issue_counters, Key().u64(id))) {
        state->counters.ParseFromArray(counters->data(), static_cast<int>(counters->size()));
      }
      state->stored_last_seen_ms = state->counters.last_seen_ms();
      states_.emplace(id, std::move(state));
      return id;
    }
    return 0;
  }

  std::uint64_t create(const DigestedEvent& event) {
    auto& project = context_.projects[event.place.project];
    const auto number = project.row.next_short_id() == 0 ? 1 : project.row.next_short_id();
    project.row.set_next_short_id(number + 1);
    project.changed = true;
    const auto id = batch_.next_number("issue");
    auto state = std::make_unique<IssueState>();
    auto& row = state->row;
    row.set_id(id);
    row.set_project(event.place.project);
    row.set_short_number(number);
    row.set_substatus(static_cast<std::uint32_t>(Substatus::new_));
    row.set_first_seen_ms(event.timestamp_ms);
    row.set_first_release(event.release.data(), event.release.size());
    row.set_priority(static_cast<std::uint32_t>(priority_of(event.level, event.handled)));
    row.set_first_event_id(std::string(relay::raw_bytes(event.id)));
    row.set_issue_type(event.issue_type.data(), event.issue_type.size());
    state->counters.set_first_sequence(event.place.sequence);
    state->created = true;
    states_.emplace(id, std::move(state));
    batch_.put(Table::short_ids, Key().u64(event.place.project).u64(number), Key().u64(id));
    if (!event.release.empty()) {
      ++context_.new_issues[{project.row.organization(), event.release}][event.place.project];
    }
    ++context_.summary.issues;
    return id;
  }

  void apply(std::uint32_t index, IssueState& state) {
    const auto& event = context_.event(index);
    auto& counters = state.counters;
    counters.set_times_seen(counters.times_seen() + 1);
    counters.set_last_sequence(event.place.sequence);
    if (brings_user_[index]) counters.set_users_seen(counters.users_seen() + 1);
    count_event(counters, time_from_ms(event.timestamp_ms));
    if (counters.last_event_id().empty() || event.timestamp_ms >= counters.last_seen_ms()) {
      counters.set_last_seen_ms(event.timestamp_ms);
      counters.set_last_event_id(std::string(relay::raw_bytes(event.id)));
      if (!event.release.empty())
        counters.set_last_release(event.release.data(), event.release.size());
      describe(event, state);
    }
    if (event.texts) learn(*event.texts, state);
    if (event.owner.user != 0 || event.owner.team != 0) suggest_owner(event, state);
    watch_.on_event(event, state);
  }

  // An issue is called what its latest event is called.
  static void describe(const DigestedEvent& event, IssueState& state) {
    auto& row = state.row;
    const auto set = [&](const std::string& now, std::string_view text, std::string* field) {
      if (now == text) return;
      field->assign(text);
      state.row_changed = true;
    };
    set(row.title(), event.title, row.mutable_title());
    set(row.culprit(), event.culprit, row.mutable_culprit());
    set(row.type(), event.type, row.mutable_type());
    set(row.metadata_json(), event.metadata_json, row.mutable_metadata_json());
    set(row.platform(), event.platform, row.mutable_platform());
    set(row.logger(), event.logger, row.mutable_logger());
    const auto level = static_cast<std::uint32_t>(event.level);
    const bool unhandled = event.handled.has_value() && !*event.handled;
    if (row.level() == level && row.handled_known() == event.handled.has_value() &&
        row.unhandled() == unhandled)
      return;
    row.set_level(level);
    row.set_handled_known(event.handled.has_value());
    row.set_unhandled(unhandled);
    state.row_changed = true;
  }

  void learn(std::uint32_t id, IssueState& state) {
    const auto hash = context_.parsed.issue_texts.hash(id);
    if (state.counters.texts() == hash) return;
    state.counters.set_texts(hash);
    if (!state.texts) {
      std::optional<schema::IssueTexts> stored;
      if (!state.created) stored = buffer::find_row<schema::IssueTexts>(batch_, Table::issue_texts, Key().u64(state.row.id()));
      state.texts = std::move(stored).value_or(schema::IssueTexts());
    }
    state.texts_changed = learn_texts(*state.texts, context_.parsed.issue_texts[id]) || state.texts_changed;
  }

  // Whom the rules name is suggested; and assigned, unless somebody ever decided about that.
  void suggest_owner(const DigestedEvent& event, IssueState& state) {
    auto& row = state.row;
    const auto& owner = event.owner;
    if (row.owner_user() != owner.user || row.owner_team() != owner.team) {
      row.set_owner_user(owner.user);
      row.set_owner_team(owner.team);
      row.set_owner_ms(event.place.received_ms);
      state.row_changed = true;
    }
    if (!owner.assign || row.assigned_ms() != 0) return;
    stamp_automatic(batch_, row, buffer::IssuePart::assignee, event.place.received_ms);
    row.set_assigned_user(owner.user);
    row.set_assigned_team(owner.team);
    row.set_assigned_ms(event.place.received_ms);
    state.row_changed = true;
    const bool team = owner.user == 0;
    put_activity(batch_, row.id(), "assigned", event.place.received_ms,
                 "{\"assignee\":\"" + std::to_string(team ? owner.team : owner.user) +
                     "\",\"assigneeType\":\"" + (team ? "team" : "user") +
                     "\",\"integration\":\"projectOwnership\"}");
  }

  void write_snoozes() {
    for (const auto& [id, state] : states_) {
      if (state->snooze)
        buffer::put_row(batch_, Table::issue_snoozes, Key().u64(id), *state->snooze);
    }
  }

  // A user is new to an issue when the issue has no such `user` tag yet (tags are written after
  // this); of the batch's events that have it, the first brings it.
  void find_new_users() {
    std::vector<std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>> seen;  // issue, tag, event
    for (const auto index : context_.kept) {
      const auto& user = context_.event(index).user;
      if (user) seen.emplace_back(context_.issue_of[index], *user, index);
    }
    std::ranges::sort(seen);
    std::vector<IssueTag> tags;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const auto [issue, user, index] = seen[i];
      if (i > 0 && std::get<0>(seen[i - 1]) == issue && std::get<1>(seen[i - 1]) == user) continue;
      tags.push_back({.issue = issue, .tag = context_.parsed.tags.suffix(user), .event = index});
    }
    std::ranges::sort(tags, {}, [](const auto& tag) { return std::tie(tag.issue, tag.tag); });
    mark_known(batch_, tags);
    brings_user_.assign(context_.parsed.events.size(), false);
    for (const auto& tag : tags) brings_user_[tag.event] = !tag.known;
  }

  void write_hashes() {
    std::ranges::sort(new_hashes_, {}, [](const auto& entry) { return entry.first.view(); });
    for (const auto& [key, issue] : new_hashes_)
      batch_.put(Table::issue_hashes, key, Key().u64(issue));
    struct Latest {
      std::uint64_t issue = 0;
      GroupingHash hash;
      std::uint32_t event = 0;
    };
    std::vector<Latest> latest;
    for (const auto index : context_.kept) {
      for (const auto& hash : context_.event(index).hashes)
        latest.push_back({context_.issue_of[index], hash, index});
    }
    std::ranges::sort(latest, {},
                      [](const Latest& of) { return std::tie(of.issue, of.hash, of.event); });
    for (std::size_t i = 0; i < latest.size(); ++i) {
      const auto& of = latest[i];
      const bool superseded =
          i + 1 < latest.size() && latest[i + 1].issue == of.issue && latest[i + 1].hash == of.hash;
      if (superseded) continue;
      const auto key = Key().u64(of.issue).raw(raw_bytes(of.hash));
      batch_.put(Table::hashes_by_issue, key, relay::raw_bytes(context_.event(of.event).id));
    }
  }

  void write_rows() {
    std::vector<std::pair<std::uint64_t, IssueState*>> order;
    order.reserve(states_.size());
    for (const auto& [id, state] : states_)
      order.emplace_back(id, state.get());
    std::ranges::sort(order, {}, &std::pair<std::uint64_t, IssueState*>::first);
    std::string bytes;
    for (const auto& [id, state] : order) {
      bytes.clear();
      state->counters.AppendToString(&bytes);
      batch_.put(Table::issue_counters, Key().u64(id), bytes);
    }
    for (const auto& [id, state] : order) {
      if (!state->texts_changed) continue;
      buffer::put_row(batch_, Table::issue_texts, Key().u64(id), *state->texts);
      state->row.set_text_signature(signature_of(*state->texts));
      state->row_changed = true;
    }
    for (const auto& [id, state] : order) {
      if (state->created || state->row_changed)
        buffer::put_row(batch_, Table::issues, Key().u64(id), state->row);
    }
    move_in_last_seen(order);
  }

  void move_in_last_seen(const std::vector<std::pair<std::uint64_t, IssueState*>>& order) {
    std::vector<Key> added;
    std::vector<Key> removed;
    for (const auto& [id, state] : order) {
      const auto project = state->row.project();
      const auto key_of = [project, issue = id](std::int64_t ms) {
        return std::move(Key()
                             .u64(project)
                             .descending(static_cast<std::uint64_t>(std::max<std::int64_t>(0, ms)))
                             .u64(issue));
      };
      const auto now = state->counters.last_seen_ms();
      if (!state->created && now == state->stored_last_seen_ms) continue;
      added.push_back(key_of(now));
      if (!state->created) removed.push_back(key_of(state->stored_last_seen_ms));
    }
    std::ranges::sort(added, {}, &Key::view);
    std::ranges::sort(removed, {}, &Key::view);
    for (const auto& key : removed)
      batch_.remove(Table::issues_by_last_seen, key);
    for (const auto& key : added)
      batch_.put(Table::issues_by_last_seen, key, "");
  }

  WriteContext& context_;
  buffer::Batch& batch_;
  IssueWatch watch_;
  std::unordered_map<std::uint64_t, std::unique_ptr<IssueState>> states_;
  std::unordered_map<HashOfProject, std::uint64_t, HashOfProjectHash> by_hash_;
  std::vector<std::pair<Key, std::uint64_t>> new_hashes_;
  std::vector<bool> brings_user_;  // by event
};

}  // namespace

void write_issues(WriteContext& context) {
  IssueWriter(context).run();
}

}  // namespace picket::digest
