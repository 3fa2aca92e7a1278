// What an issue is called: title, culprit, location and metadata, as Sentry derives them.
#pragma once

#include "api/digest/event.h"

#include <string>
#include <string_view>

namespace picket::digest {

struct Title {
  std::string title;          // "ValueError: bad input", the message's first line …
  std::string culprit;        // where: the transaction, or the crashing frame; may be empty
  std::string location;       // the crashing frame's file; may be empty
  std::string metadata_json;  // {"type", "value", "filename", "function"}, {"title"}, …
};

Title title_of(const Event& event);

// The frame that is to blame: the newest in-app one, else the newest; none without a usable stack.
const Frame* crashing_frame(const Event& event);

// The exception that names the issue; none for messages.
const ExceptionValue* main_exception(const Event& event);

}  // namespace picket::digest
