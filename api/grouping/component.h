// The tree that explains a grouping: what was looked at, what of it counts, and why the rest does not.
// A hash is the md5 of the texts that count, one after the other, in the order of the tree.
//
// Nodes and texts are bump-allocated and given back together: the tree is built for every event, so
// that there is one way to a hash, whether or not anybody asks for the reasons.
//
// THREADS  None of its own; a finished tree may be read from anywhere.
#pragma once

#include "relay/protocol/md5.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {

using Hash = relay::Md5;  // what an issue is found by

enum class Part : std::uint8_t {
  app, system, default_, chained_exception, exception, threads, stacktrace, frame,
  module, filename, function, context_line, type, value, ns_error, message, template_,
  csp, hpkp, expect_ct, expect_staple, salt, violation, uri, hostname,
};
std::string_view wire_name(Part part);

// Why a part does not count, or what was done to it. `about` is a rule's text or the name of what
// goes first; `count` a number of frames or threads.
enum class Reason : std::uint8_t {
  none, url_origin, anonymous_file, native_code, javassist, module_first, page_module, java_lambda,
  reflection, codegen, anonymous_class, ruby_block, erb_suffix, php_anonymous, php_class_method,
  lambda_function, unknown_function, unknown_script_function, last_name_only, sourcemap_line, long_line, line_of_page,
  poor_script_frame, not_in_app, recursion, lone_script_frame, rule_out_of_app, rule_in_app,
  rule_ignored, rule_unignored, rule_most_frames, rule_fewest_frames, synthetic, stripped,
  stack_first, ns_error_first, same_as, other_has_stack, goes_first, no_chosen_thread,
  thread_without_stack, fingerprint_first, static_salt, no_local_violation, violation_first,
};
struct Hint {
  Reason reason = Reason::none;
  std::uint32_t count = 0;
  std::string_view about;
};
// In words, for people; "" for none.
std::string render_hint(const Hint& hint);

struct Component {
  Part part = Part::app;
  bool contributes = false;
  bool has_texts = false;
  Hint hint;
  std::array<std::string_view, 2> texts;  // of a leaf; the second is usually empty
  Component* first_child = nullptr;
  Component* last_child = nullptr;
  Component* next = nullptr;

  void add(Component* child);  // counts from then on when the child counts
  void exclude(Hint why) { contributes = false, hint = why; }
};

class Arena {
 public:
  Component* component(Part part);
  // Counts unless the text is empty and `empty_counts` is not set.
  Component* leaf(Part part, std::string_view text);
  std::string_view keep(std::string_view text);

 private:
  char* room_for(std::size_t bytes, std::size_t alignment);
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

// Appends the texts that count.
void append_contributing(const Component& component, std::string& out);
// None when the component does not count.
std::optional<Hash> hash_of(const Component& component);
// Whether a stack trace within it counts.
bool has_contributing_stack(const Component& component);
// Whether an exception's value is among the texts that count.
bool has_contributing_value(const Component& component);

}  // namespace picket::grouping
