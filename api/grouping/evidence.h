// What an event is grouped by: its exceptions, stacks, message and the rest, as views into the event.
// Nothing here owns text; it is valid as long as the event that it was made from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace picket::grouping {

struct Frame {
  std::string_view function;
  std::string_view raw_function;  // before a processor shortened it; usually empty
  std::string_view module;
  std::string_view filename;
  std::string_view abs_path;
  std::string_view package;  // the library or executable
  std::string_view platform;
  std::string_view context_line;
  std::int64_t line = 0;
  std::int64_t column = 0;
  std::optional<bool> in_app;
  bool sourcemap = false;  // its place was found through a source map
};

// The same call once more.
inline bool is_recursion(const Frame& a, const Frame& b) {
  return a.function == b.function && a.line == b.line && a.column == b.column && a.module == b.module &&
         a.filename == b.filename && a.abs_path == b.abs_path && a.package == b.package;
}

// An error of Apple's frameworks.
struct NsError {
  std::string_view domain;
  std::string_view code;
};

struct ExceptionValue {
  std::string_view type;
  std::string_view value;
  std::string_view module;
  std::string_view mechanism;  // its type
  std::optional<bool> handled;
  bool synthetic = false;       // the type was made up by the SDK
  bool has_stacktrace = false;  // even if it has no frames
  bool is_group = false;        // an exception that stands for several
  std::optional<std::int64_t> id;      // its number within the event
  std::optional<std::int64_t> parent;  // the number of the one that it is a part or cause of
  std::optional<NsError> ns_error;
  std::vector<Frame> frames;  // oldest call first, as on the wire
};

struct Tag {
  std::string_view key;
  std::string_view value;
};

struct Threads {
  std::size_t count = 0;
  bool chosen = false;  // exactly one crashed, else exactly one is current, else there is only one
  bool has_stacktrace = false;
  std::span<const Frame> frames;  // of the chosen one
};

struct Template {
  std::string_view filename;
  std::string_view context_line;
};

enum class ReportKind : std::uint8_t { none, csp, hpkp, expect_ct, expect_staple };

// What a browser says about a violated policy.
struct Report {
  ReportKind kind = ReportKind::none;
  std::string_view directive;  // csp: the effective one
  std::string_view violated;   // csp: the whole violated directive
  std::string_view blocked;    // csp: the blocked URI
  std::string_view document;   // csp
  std::string_view hostname;   // the others
};

struct Evidence {
  std::string_view platform;
  std::span<const ExceptionValue> exceptions;  // innermost cause first, as on the wire
  Threads threads;
  bool has_stacktrace = false;
  std::span<const Frame> stacktrace;  // of the event itself
  std::optional<Template> error_template;
  Report report;
  std::string_view message;    // the template when there are parameters
  std::string_view formatted;  // as shown
  std::span<const std::string_view> fingerprint;  // as the client gave it; empty: none

  // What fingerprint rules and variables may name.
  std::string_view transaction;
  std::string_view logger;
  std::string_view level;
  std::string_view release;
  std::string_view sdk;
  std::span<const Tag> tags;
};

}  // namespace picket::grouping
