// The reasons of a component tree in words.
#include "api/grouping/component.h"

#include <cstdlib>

namespace picket::grouping {
namespace {

std::string frames_word(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " frame" : " frames");
}

std::string_view fixed_words(Reason reason) {
  switch (reason) {
    case Reason::url_origin: return "left out: the file is the address of a page";
    case Reason::anonymous_file: return "left out: the file has no name";
    case Reason::native_code: return "left out: native code of the browser";
    case Reason::javassist: return "number of a generated class removed";
    case Reason::module_first: return "left out: the module says more";
    case Reason::page_module: return "left out: the module is a page's address";
    case Reason::java_lambda: return "left out: a lambda's numbered class";
    case Reason::reflection: return "number of a reflection accessor removed";
    case Reason::codegen: return "marks of generated code removed";
    case Reason::anonymous_class: return "left out: a class without a name";
    case Reason::ruby_block: return "only that it is a block counts";
    case Reason::erb_suffix: return "number of a compiled template removed";
    case Reason::php_anonymous: return "left out: a function without a name";
    case Reason::php_class_method: return "only the method of a class without a name counts";
    case Reason::lambda_function: return "left out: a numbered lambda";
    case Reason::unknown_function:
    case Reason::unknown_script_function: return "left out: the function is not known";
    case Reason::last_name_only: return "only the last part of the name counts";
    case Reason::sourcemap_line: return "left out: the source line, found by a source map, says more";
    case Reason::long_line: return "left out: the line is too long";
    case Reason::line_of_page: return "left out: a line of a page";
    case Reason::poor_script_frame: return "left out: browsers differ about this frame";
    case Reason::not_in_app: return "left out: not the application's own";
    case Reason::recursion: return "left out: repeats the frame before";
    case Reason::lone_script_frame: return "left out: the only frame, without a function, of a page";
    case Reason::synthetic: return "left out: the SDK made the type up";
    case Reason::stripped: return "what differs between events removed";
    case Reason::stack_first: return "left out: the stack says more";
    case Reason::ns_error_first: return "left out: domain and code of the error say more";
    case Reason::thread_without_stack: return "left out: the thread has no stack";
    case Reason::fingerprint_first: return "left out: a fingerprint decides";
    case Reason::static_salt: return "tells this kind from others";
    case Reason::no_local_violation: return "not a violation by the page itself";
    case Reason::violation_first: return "left out: the violation says more";
    default: return {};
  }
}

}  // namespace

std::string render_hint(const Hint& hint) {
  const std::string about(hint.about);
  switch (hint.reason) {
    case Reason::none: return {};
    case Reason::rule_out_of_app: return "not the application's own, by the rule (" + about + ")";
    case Reason::rule_in_app: return "the application's own, by the rule (" + about + ")";
    case Reason::rule_ignored: return "left out by the rule (" + about + ")";
    case Reason::rule_unignored: return "taken in by the rule (" + about + ")";
    case Reason::rule_most_frames: return "left out: " + frames_word(hint.count) + " at most, by the rule (" + about + ")";
    case Reason::rule_fewest_frames: return "left out: " + frames_word(hint.count) + " is too few, by the rule (" + about + ")";
    case Reason::same_as: return "left out: the same as " + about;
    case Reason::other_has_stack: return "left out: only " + about + " has a stack that counts";
    case Reason::goes_first: return "left out: " + about + " goes first";
    case Reason::no_chosen_thread:
      return "left out: none of " + std::to_string(hint.count) + " threads is the only one crashed or current";
    default: return std::string(fixed_words(hint.reason));
  }
}

}  // namespace picket::grouping
