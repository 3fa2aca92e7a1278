#include "api/digest/derived_tags.h"

#include "api/digest/normalize_rules.h"
#include "api/digest/user_agent.h"

#include <algorithm>
#include <string>

namespace picket::digest {
namespace {

constexpr std::size_t longest = 200;

class TagList {
 public:
  explicit TagList(TextArena& arena) : arena_(arena) { tags_.reserve(24); }

  void add(std::string_view key, std::string_view value) {
    key = clean(key);
    value = clean(value);
    if (key.empty() || value.empty()) return;
    const bool there = std::ranges::any_of(tags_, [&](const Tag& tag) { return tag.key == key; });
    if (!there) tags_.push_back({key, value});
  }

  // "browser" = "Firefox 120.0" and "browser.name" = "Firefox".
  void add_named(std::string_view key,
                 std::string_view name_key,
                 std::string_view name,
                 std::string_view version) {
    if (name.empty()) return;
    if (version.empty()) {
      add(key, name);
    } else {
      std::string whole(name);
      whole += ' ';
      whole += version;
      add(key, arena_.keep(whole));
    }
    add(name_key, name);
  }

  std::vector<Tag> take() { return std::move(tags_); }

 private:
  std::string_view clean(std::string_view text) { return clean_tag_value(text, arena_); }

  TextArena& arena_;
  std::vector<Tag> tags_;
};

// What the SDK says about browser, system and device; what the headers say where it says nothing.
void add_client(const Event& event, TagList& tags, Event::Device& device) {
  auto browser = event.browser;
  auto os = event.os;
  auto client_os = event.client_os;
  // A browser's own events are about its system; others come from a server that has one of its own.
  auto& clients = event.platform == "javascript" ? os : client_os;
  if (browser.name.empty() || clients.name.empty() || !event.device_given) {
    const auto read = read_user_agent(event.user_agent, event.hints);
    if (browser.name.empty()) browser = {read.browser, read.browser_version};
    if (clients.name.empty()) clients = {read.os, read.os_version};
    if (!event.device_given) device = {read.device_model, read.device_family};
  }
  tags.add_named("browser", "browser.name", browser.name, browser.version);
  tags.add_named("client_os", "client_os.name", client_os.name, client_os.version);
  tags.add_named("os", "os.name", os.name, os.version);
}

}  // namespace

std::string_view user_tag(const EventUser& user, TextArena& arena) {
  const auto join = [&](std::string_view kind, std::string_view value) {
    std::string tag(kind);
    tag += value;
    return arena.keep(first_characters(tag, longest));
  };
  if (!user.id.empty()) return join("id:", user.id);
  if (!user.username.empty()) return join("username:", user.username);
  if (!user.email.empty()) return join("email:", user.email);
  if (!user.ip.empty()) return join("ip:", user.ip);
  return {};
}

std::vector<Tag> tags_of(const Event& event, TextArena& arena) {
  TagList tags(arena);
  tags.add("level", wire_name(event.level_or_default()));
  tags.add("environment", event.environment);
  tags.add("release", event.release);
  tags.add("dist", event.dist);
  tags.add("server_name", event.server_name);
  tags.add("site", event.site);
  tags.add("logger", event.logger);
  tags.add("transaction", event.transaction);
  tags.add("url", event.request_url);
  tags.add("user", user_tag(event.user, arena));
  if (const auto handled = event.handled()) tags.add("handled", *handled ? "yes" : "no");
  if (!event.exceptions.empty()) tags.add("mechanism", event.exceptions.back().mechanism);
  auto device = event.device;
  add_client(event, tags, device);
  tags.add_named("runtime", "runtime.name", event.runtime.name, event.runtime.version);
  tags.add("device", device.model);
  tags.add("device.family", device.family);
  for (const auto& tag : event.tags)
    tags.add(tag.key, tag.value);
  return tags.take();
}

std::string flag_key(std::string_view name) {
  return std::string(flag_key_start) + std::string(name) + "]";
}

std::string_view flag_name(std::string_view key) {
  key.remove_prefix(flag_key_start.size());
  return key.substr(0, key.size() - (key.ends_with(']') ? 1 : 0));
}

std::vector<Tag> flag_tags_of(const Event& event, TextArena& arena) {
  std::vector<Tag> tags;
  tags.reserve(event.flags.size());
  for (const auto& flag : event.flags) {
    const auto name = clean_tag_value(flag.key, arena);
    const auto value = clean_tag_value(flag.value, arena);
    if (!name.empty() && !value.empty()) tags.push_back({arena.keep(flag_key(name)), value});
  }
  return tags;
}

}  // namespace picket::digest
