#include "api/digest/grouping.h"

#include "api/digest/parametrise.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace picket::digest {
namespace {

// Between the parts of what is hashed, so that parts never run into each other.
constexpr char part_end = '\x1f';

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Leaves out what compilers and bundlers number anew with each build: runs of eight and more hex
// digits with a digit among them, and the digits that follow '$', "__" or "lambda".
void append_stable(std::string& out, std::string_view name) {
  for (std::size_t i = 0; i < name.size();) {
    std::size_t end = i;
    bool digits = false;
    while (end < name.size() && is_hex(name[end]))
      digits |= is_digit(name[end++]);
    if (end - i >= 8 && digits) {
      i = end;
      continue;
    }
    const bool numbered = is_digit(name[i]) && !out.empty() &&
                          (out.back() == '$' || out.ends_with("__") || out.ends_with("lambda"));
    if (!numbered) out += name[i];
    ++i;
  }
}

std::string_view base_name(std::string_view path) {
  path = path.substr(0, path.find_first_of("?#"));
  const auto slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool says_nothing(std::string_view function) {
  return function.empty() || function == "?" || function == "<anonymous>" ||
         function == "<lambda>" || function == "<unknown>" || function == "<redacted>" ||
         function == "[native code]";
}

void append_frame(std::string& out, const Frame& frame) {
  std::string place;
  if (!frame.module.empty()) {
    append_stable(place, frame.module);
  } else {
    const auto file = frame.filename.empty() ? frame.abs_path : frame.filename;
    append_stable(place, base_name(file));
    std::ranges::transform(place, place.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
  }
  std::string function;
  if (!says_nothing(frame.function)) append_stable(function, frame.function);
  if (place.empty() && function.empty()) return;
  out += place;
  out += part_end;
  out += function;
  out += part_end;
}

bool any_in_app(const std::vector<Frame>& frames) {
  return std::ranges::any_of(frames,
                             [](const Frame& frame) { return frame.in_app.value_or(false); });
}

// Frames that repeat (recursion) count once.
void append_frames(std::string& out, const std::vector<Frame>& frames, bool only_in_app) {
  std::string before;
  for (const auto& frame : frames) {
    if (only_in_app && !frame.in_app.value_or(false)) continue;
    std::string part;
    append_frame(part, frame);
    if (part == before) continue;
    out += part;
    before = std::move(part);
  }
}

// False when no exception gives anything to group by.
bool append_exceptions(std::string& out, const Event& event) {
  const bool only_in_app = std::ranges::any_of(
      event.exceptions,
      [](const ExceptionValue& exception) { return any_in_app(exception.frames); });
  std::string stacks;
  for (const auto& exception : event.exceptions) {
    if (!exception.synthetic) out += exception.type;
    out += part_end;
    append_frames(stacks, exception.frames, only_in_app);
    stacks += '\n';
  }
  const bool have_frames = stacks.find_first_not_of('\n') != std::string::npos;
  if (have_frames) {
    out += stacks;
    return true;
  }
  if (!event.stacktrace.empty()) {
    append_frames(out, event.stacktrace, any_in_app(event.stacktrace));
    return true;
  }
  for (const auto& exception : event.exceptions) {
    out += parametrised(exception.value);
    out += part_end;
  }
  return !event.exceptions.empty();
}

std::string_view origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

std::string default_material(const Event& event) {
  std::string out;
  if (is_security(event.type) && !event.csp_directive.empty()) {
    out = "csp";
    out += part_end;
    out += event.csp_directive;
    out += part_end;
    out += origin_of(event.csp_blocked);
    return out;
  }
  if (append_exceptions(out, event)) return out;
  out.clear();
  if (!event.stacktrace.empty()) append_frames(out, event.stacktrace, any_in_app(event.stacktrace));
  if (!out.empty()) return out;
  out = "message";
  out += part_end;
  // With parameters the message is the template: already the same for all occurrences.
  out += event.has_params ? std::string(event.message) : parametrised(event.message);
  return out;
}

std::string_view variable(const Event& event, std::string_view name) {
  const bool any_exception = !event.exceptions.empty();
  if (name == "error.type")
    return any_exception ? event.exceptions.back().type : std::string_view("<no-type>");
  if (name == "error.value")
    return any_exception ? event.exceptions.back().value : std::string_view("<no-value>");
  if (name == "transaction")
    return event.transaction.empty() ? "<no-transaction>" : event.transaction;
  if (name == "message") return event.formatted.empty() ? "<no-message>" : event.formatted;
  if (name == "level") return wire_name(event.level_or_default());
  if (name == "logger") return event.logger.empty() ? "<no-logger>" : event.logger;
  if (name.starts_with("tags.")) {
    for (const auto& tag : event.tags) {
      if (tag.key == name.substr(5)) return tag.value;
    }
    return "<no-value-for-tag>";
  }
  return {};
}

// The name within "{{ name }}"; empty when `part` is no variable.
std::string_view variable_name(std::string_view part) {
  const auto trimmed = without_outer_space(part);
  if (!trimmed.starts_with("{{") || !trimmed.ends_with("}}") || trimmed.size() < 4) return {};
  return without_outer_space(trimmed.substr(2, trimmed.size() - 4));
}

}  // namespace

std::string_view raw_bytes(const GroupingHash& hash) {
  return {reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size()};
}

std::string render_hash(const GroupingHash& hash) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto byte : hash.bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 0xf];
  }
  return out;
}

GroupingHash md5_of(std::string_view bytes) {
  struct Free {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  // Fetched once: EVP_md5() would look the algorithm up at every use.
  static const std::unique_ptr<EVP_MD, Free> md5(EVP_MD_fetch(nullptr, "MD5", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  GroupingHash hash;
  unsigned length = 0;
  const bool done = md5 && EVP_DigestInit_ex2(context.get(), md5.get(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), hash.bytes.data(), &length) == 1;
  if (!done) std::abort();  // OpenSSL without MD5: no issue could ever be found again
  return hash;
}

std::vector<GroupingHash> hashes_of(const Event& event) {
  const bool only_default = std::ranges::all_of(
      event.fingerprint, [](std::string_view part) { return variable_name(part) == "default"; });
  if (only_default) return {md5_of(default_material(event))};
  std::string out = "fingerprint";
  for (const auto part : event.fingerprint) {
    out += part_end;
    const auto name = variable_name(part);
    if (name == "default") {
      out += default_material(event);
    } else if (const auto value = variable(event, name); !name.empty() && !value.empty()) {
      out += value;
    } else {
      out += part;
    }
  }
  return {md5_of(out)};
}

}  // namespace picket::digest
