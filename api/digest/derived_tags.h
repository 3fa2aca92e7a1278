// The tags of an event as Sentry shows and counts them: what the SDK set, and what follows from the
// event's other fields.
#pragma once

#include "api/digest/event.h"

#include <string_view>
#include <vector>

namespace picket::digest {

// In Sentry's order, no key twice (what the event's fields say wins over a tag of that name); keys
// and values at most 200 characters, no newlines, never empty. New text is kept in `arena`; other
// views point into the event.
std::vector<Tag> tags_of(const Event& event, TextArena& arena);

// "id:7", "username:ada", "email:…", "ip:…": the first that is known; "" for none.
std::string_view user_tag(const EventUser& user, TextArena& arena);

// Feature flags are kept as tags of such keys: `flags[name]`. No list of tags shows them.
constexpr std::string_view flag_key_start = "flags[";
std::string flag_key(std::string_view name);
inline bool is_flag_key(std::string_view key) { return key.starts_with(flag_key_start); }
// The flag's name in its key. REQUIRES: is_flag_key(key)
std::string_view flag_name(std::string_view key);
std::vector<Tag> flag_tags_of(const Event& event, TextArena& arena);

}  // namespace picket::digest
