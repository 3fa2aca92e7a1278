// A log message with its parameters filled in, for SDKs that send template and parameters apart.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::digest {

// Parameters in order; named ones carry their name.
using MessageParams = std::vector<std::pair<std::string_view, std::string_view>>;

// Fills `%s` and its kin, `%(name)s`, `{}`, `{0}` and `{name}`; `%%` becomes `%`. Flags, width and
// precision are dropped, a placeholder without a parameter stays as it is.
std::string format_message(std::string_view message, const MessageParams& params);

}  // namespace picket::digest
