// Rules of projects: what parses must apply to any event without surprise, and what does not must say where.
#include "api/grouping/grouping.h"
#include "fuzz/invariant.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace picket;

namespace {

void check_complaint(const Error& error) {
  const bool placed = error.detail.starts_with("line ") && error.detail.find(", column ") != std::string::npos;
  fuzz::check(placed || error.fault == Fault::too_large, "a complaint names line and column");
}

}  // namespace

// The first line is a message, function and path of an event; the rest are rules of either kind.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = text.substr(0, text.find('\n'));
  const auto rules = line.size() < text.size() ? text.substr(line.size() + 1) : std::string_view();
  const auto stack = grouping::StackRules::make_alone(rules);
  const auto fingerprint = grouping::FingerprintRules::make(rules);
  if (!stack) check_complaint(stack.error());
  if (!fingerprint) check_complaint(fingerprint.error());
  grouping::Config config = grouping::Config::defaults();
  if (stack) config.stack = *stack;
  if (fingerprint) config.fingerprint = *fingerprint;
  std::vector<grouping::ExceptionValue> exceptions(1);
  exceptions[0].type = exceptions[0].value = line;
  exceptions[0].has_stacktrace = true;
  exceptions[0].frames.resize(3);
  for (auto& frame : exceptions[0].frames)
    frame.function = frame.module = frame.abs_path = frame.package = line;
  exceptions[0].frames[1].in_app = true;
  grouping::Evidence evidence;
  evidence.platform = "native";
  evidence.exceptions = exceptions;
  evidence.formatted = line;
  const auto made = grouping::group(evidence, config, grouping::Detail::explanation);
  fuzz::check(!made.hashes.empty(), "an event has a hash");
  fuzz::check(made.hashes == grouping::group(evidence, config, grouping::Detail::hashes).hashes, "the short way comes to the same");
  return 0;
}
