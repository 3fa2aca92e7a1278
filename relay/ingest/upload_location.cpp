#include "relay/ingest/upload_location.h"

#include "relay/http/message.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/json_object.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

namespace picket::ingest {
namespace {

constexpr std::size_t id_digits = 32;
constexpr std::size_t longest = 2048;

std::string unsigned_part(const UploadLocation& location) {
  return "/api/" + std::to_string(location.project) + "/upload/" + location.id + "/?length=" +
         std::to_string(location.length);
}

std::string sign(std::string_view text, std::string_view secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes, text.size(), digest.data(),
           &length) == nullptr)
    std::abort();  // only for want of memory
  return relay::render_hex({reinterpret_cast<const char*>(digest.data()), length});
}

// The last four segments of a path: "api", project, "upload", id.
bool read_path(std::string_view path, UploadLocation& location) {
  std::array<std::string_view, 4> last;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (segment.empty()) continue;
    std::rotate(last.begin(), last.begin() + 1, last.end());
    last.back() = segment;
  }
  const auto project = relay::parse_project_id(last[1]);
  if (last[0] != "api" || last[2] != "upload" || !project) return false;
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (last[3].size() != id_digits || !std::ranges::all_of(last[3], is_digit)) return false;
  location.project = *project;
  location.id = last[3];
  return true;
}

}  // namespace

std::string render_upload_location(const UploadLocation& location, std::string_view secret) {
  const auto text = unsigned_part(location);
  return text + "&signature=" + sign(text, secret);
}

std::optional<UploadLocation> parse_upload_location(std::string_view text, std::string_view secret) {
  if (text.size() > longest) return std::nullopt;
  text = text.substr(0, text.find('#'));
  const auto question = text.find('?');
  if (question == std::string_view::npos) return std::nullopt;
  UploadLocation location;
  if (!read_path(text.substr(0, question), location)) return std::nullopt;
  std::string signature;
  bool measured = false;
  for (const auto& [name, value] : http::parse_query(text.substr(question + 1))) {
    if (name == "signature") signature = value;
    if (name != "length") continue;
    const auto length = relay::parse_whole_number(value);
    measured = length.has_value();
    location.length = length.value_or(0);
  }
  const auto expected = sign(unsigned_part(location), secret);
  if (!measured || signature.size() != expected.size()) return std::nullopt;
  if (CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) != 0) return std::nullopt;
  return location;
}

}  // namespace picket::ingest
