// The stack trace rules that every project begins with. They apply in this order, before its own.
#pragma once

#include <string_view>

namespace picket::grouping {

// Which frames are not the application's own: libraries, package managers' folders, the SDKs themselves.
std::string_view default_app_rules();
// What frames of native code and of Apple's, Google's and Microsoft's systems do there: categories.
std::string_view default_native_rules();
// What the categories mean for grouping.
std::string_view default_category_rules();

}  // namespace picket::grouping
