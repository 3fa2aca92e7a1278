// Names of functions as they are compared: without what compilers, linkers and runtimes add.
#pragma once

#include <string>
#include <string_view>

namespace picket::grouping {

// Native code: without return type, arguments, trailing qualifiers and hashes; what is between angle
// brackets becomes <T>; numbered lambdas and anonymous namespaces get one name each. Managed code
// ("csharp"): without arguments. Everything else is left alone.
std::string trimmed_function(std::string_view name, std::string_view platform);

}  // namespace picket::grouping
