// Errors that Sentry offers to filter out because they are known not to be the application's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace picket::filter {

// A message that browser extensions and injected scripts are known for.
bool is_extension_message(std::string_view message);
// A script's address that belongs to an extension, or to something injected.
bool is_extension_source(std::string_view source);

// React's complaints that server and client rendered different things. `message` is an error's value.
bool is_hydration_error(std::string_view message);
// A bundle's part that could not be loaded, mostly after a deploy.
bool is_chunk_load_error(std::string_view type, std::string_view message);

// A transaction's name that says it is a health check.
bool is_health_check(std::string_view transaction);
// The same as patterns for caseless text.
std::vector<std::string> health_check_globs();

}  // namespace picket::filter
