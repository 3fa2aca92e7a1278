// The rules that the digest's one-pass reader and the normaliser share, so that what an issue is made
// of and what the API shows of its event agree: small pure functions from text to text.
//
// THREADS  Any.
#pragma once

#include "api/digest/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::digest {

// Sentry refuses '/', '\', line breaks and tabs in both, "." and ".." and "latest" as a release, and
// "none" as an environment; a dist is letters, digits, '.', '_' and '-'. `text` has no outer space.
bool is_valid_release(std::string_view text);
bool is_valid_environment(std::string_view text);
bool is_valid_dist(std::string_view text);

// The text without outer space when it is valid, else "".
std::string_view clean_release(std::string_view text);
std::string_view clean_environment(std::string_view text);
std::string_view clean_dist(std::string_view text);

// Letters, digits and "_.:-", at most 200 characters. Spaces are to become '-' first.
bool is_valid_tag_key(std::string_view key);
std::string tag_key(std::string_view text);  // outer space gone, inner spaces as '-'
// Outer space gone, at most 200 characters, line breaks as spaces.
std::string_view clean_tag_value(std::string_view text, TextArena& arena);
// Tags that repeat what an event has a field for: "release", "dist", "user", "filename", "function"
// and "environment", which moves to its field.
bool is_internal_tag(std::string_view key);

// An IPv4 or IPv6 address, nothing else.
bool is_ip_address(std::string_view text);
// How an SDK wants the sender's address to be used; "legacy" is what SDKs mean that do not say.
enum class InferIp : std::uint8_t { legacy, automatic, never };
InferIp parse_infer_ip(std::string_view text);
struct AddressClues {
  std::string_view user;         // user.ip_address, "{{auto}}" included
  std::string_view remote;       // request.env.REMOTE_ADDR, likewise
  std::string_view sender;       // where the envelope came from
  std::string_view platform;
  InferIp infer = InferIp::legacy;
};
// The user's address; "" when it is not to be known.
std::string_view user_address(const AddressClues& clues);
// What REMOTE_ADDR is to say.
std::string_view remote_address(const AddressClues& clues);

// The parts of "http://host/path?query#fragment"; views into it.
struct UrlParts {
  std::string_view url;
  std::string_view query;
  std::string_view fragment;
};
UrlParts split_url(std::string_view url);

// A frame's file: where it lies (abs_path) and what is shown (filename, the path when abs_path is a
// URL). Either may be empty on the way in; both are set on the way out when either was.
struct FramePaths {
  std::string_view filename;
  std::string_view abs_path;
};
FramePaths frame_paths(std::string_view filename, std::string_view abs_path);
inline std::string_view frame_function(std::string_view name) {
  return name == "?" ? std::string_view() : name;
}

// "TypeError: x is undefined" → type and value, when the SDK gave no type.
struct TypedValue {
  std::string_view type;
  std::string_view value;
};
TypedValue exception_type(std::string_view type, std::string_view value);

// Path segments of a transaction name that identify one thing (a UUID, a hash, a date, a number of
// two and more digits) become '*'. Nothing when there are none.
std::optional<std::string> sanitised_transaction(std::string_view name);
// True for names that are URLs by their source, or look like one when the source is not known.
bool is_url_transaction(std::string_view name, std::string_view source);

// "1", "2" or "3" for a weak, a usual or a strong device (MHz, cores, bytes); "" when it cannot be told.
struct DevicePower {
  std::optional<double> frequency;
  std::optional<double> cores;
  std::optional<double> memory;
};
std::string_view device_class(std::string_view family, const DevicePower& power);

// The interface's name for a field of a browser's CSP report: "blocked-uri", "blockedURL" →
// "blocked_uri"; the name itself for others.
std::string csp_field(std::string_view name);

}  // namespace picket::digest
