#include "relay/protocol/relay_identity.h"

#include "relay/protocol/base64.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/json_object.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace picket::relay {
namespace {

constexpr std::size_t key_bytes = 32;
constexpr std::size_t signature_bytes = 64;

const unsigned char* unsigned_data(std::string_view bytes) {
  return static_cast<const unsigned char*>(static_cast<const void*>(bytes.data()));
}
unsigned char* unsigned_data(std::string& bytes) {
  return static_cast<unsigned char*>(static_cast<void*>(bytes.data()));
}

Error wrong(std::string words) {
  return Error{Fault::malformed, std::move(words)};
}

// 8-4-4-4-12
std::string render_uuid(const EventId& id) {
  std::string text = render_event_id(id);
  for (const std::size_t at : {std::size_t{20}, std::size_t{16}, std::size_t{12}, std::size_t{8}}) text.insert(at, 1, '-');
  return text;
}

}  // namespace

Result<Ed25519Key> Ed25519Key::from_bytes(std::string_view bytes) {
  if (bytes.size() != key_bytes && bytes.size() != 2 * key_bytes) return wrong("an Ed25519 key has 32 or 64 bytes");
  const auto secret = bytes.substr(0, key_bytes);
  std::shared_ptr<EVP_PKEY> raw(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, unsigned_data(secret), secret.size()), EVP_PKEY_free);
  if (!raw) std::abort();  // any 32 bytes are a key
  Ed25519Key key(std::move(raw));
  if (bytes.size() > key_bytes && key.public_bytes() != bytes.substr(key_bytes)) return wrong("the key's two halves do not belong together");
  return key;
}

Ed25519Key Ed25519Key::generate() {
  std::shared_ptr<EVP_PKEY> raw(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  if (!raw) std::abort();
  return Ed25519Key(std::move(raw));
}

std::string Ed25519Key::secret_bytes() const {
  std::string bytes(key_bytes, '\0');
  std::size_t size = bytes.size();
  if (EVP_PKEY_get_raw_private_key(key_.get(), unsigned_data(bytes), &size) != 1 || size != key_bytes) std::abort();
  return bytes;
}

std::string Ed25519Key::public_bytes() const {
  std::string bytes(key_bytes, '\0');
  std::size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key_.get(), unsigned_data(bytes), &size) != 1 || size != key_bytes) std::abort();
  return bytes;
}

std::string Ed25519Key::sign(std::string_view bytes) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  std::string signature(signature_bytes, '\0');
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), unsigned_data(signature), &size, unsigned_data(bytes), bytes.size()) != 1 || size != signature_bytes) {
    std::abort();  // Ed25519 refuses nothing
  }
  return signature;
}

RelayIdentity::RelayIdentity(std::string id, Ed25519Key key)
    : id_(std::move(id)), key_(std::move(key)), public_key_(encode_base64_url(key_.public_bytes())) {}

Result<RelayIdentity> RelayIdentity::parse(std::string_view json) {
  std::string secret, public_key, id;
  JsonObjectReader reader(json);
  while (const auto member = reader.next()) {
    if (!member->is_string()) continue;
    if (member->named("secret_key")) secret = unescape_json(member->raw_text());
    if (member->named("public_key")) public_key = unescape_json(member->raw_text());
    if (member->named("id")) id = unescape_json(member->raw_text());
  }
  if (reader.failure()) return wrong("not a JSON object");
  const auto bytes = parse_base64(secret);
  if (secret.empty() || !bytes) return wrong("secret_key is missing, or is not base64url");
  auto key = Ed25519Key::from_bytes(*bytes);
  if (!key) return wrong("secret_key: " + key.error().detail);
  const auto uuid = parse_event_id(id);
  if (!uuid) return wrong("id is missing, or is not a UUID");
  RelayIdentity identity(render_uuid(*uuid), *std::move(key));
  if (!public_key.empty() && parse_base64(public_key) != identity.key_.public_bytes()) return wrong("public_key does not belong to secret_key");
  return identity;
}

RelayIdentity RelayIdentity::generate() {
  return {render_uuid(random_event_id()), Ed25519Key::generate()};
}

std::string RelayIdentity::render() const {
  return "{\"secret_key\":\"" + encode_base64_url(key_.secret_bytes()) + "\",\"public_key\":\"" + public_key_ + "\",\"id\":\"" + id_ + "\"}\n";
}

std::string RelayIdentity::sign(std::string_view body, Time now) const {
  const std::string header = R"({"t":")" + render_timestamp(to_ms(now)) + "\"}";
  std::string signed_bytes = header;
  signed_bytes += '\0';
  signed_bytes += body;
  return encode_base64_url(key_.sign(signed_bytes)) + "." + encode_base64_url(header);
}

}  // namespace picket::relay
