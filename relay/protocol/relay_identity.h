// Who a Relay is to its upstream: an id and an Ed25519 key; and how what it sends is signed.
//
//   X-Sentry-Relay-Id:        the id, a UUID
//   X-Sentry-Relay-Signature: base64url(Ed25519(header 0x00 body)) "." base64url(header)
//   header                    {"t":"2026-04-20T12:00:00.000Z"}, when it was signed: it counts for five minutes,
//                             of a registration for one
//
// What is asked of the upstream's API is signed with its body. Of an envelope the body that is signed is empty:
// that is what upstreams verify, whatever compression the envelope comes in.
//
// THREADS  Immutable: any.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"

#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace picket::relay {

// RFC 8032, without context or prehash.
class Ed25519Key {
 public:
  // 32 bytes, or these and the 32 of the public key that belongs to them. Fault::malformed otherwise.
  static Result<Ed25519Key> from_bytes(std::string_view bytes);
  static Ed25519Key generate();

  std::string secret_bytes() const;  // 32
  std::string public_bytes() const;  // 32
  std::string sign(std::string_view bytes) const;  // 64 bytes

 private:
  explicit Ed25519Key(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

class RelayIdentity {
 public:
  // A Relay's credentials.json: {"secret_key", "public_key", "id"}. Fault::malformed with what is wrong; the words
  // never hold what the file does.
  static Result<RelayIdentity> parse(std::string_view json);
  static RelayIdentity generate();

  const std::string& id() const { return id_; }                  // with hyphens
  const std::string& public_key() const { return public_key_; }  // as upstreams are told it: base64url
  // As a credentials.json: holds the secret key.
  std::string render() const;

  // X-Sentry-Relay-Signature.
  std::string sign(std::string_view body, Time now) const;

 private:
  RelayIdentity(std::string id, Ed25519Key key);

  std::string id_;
  Ed25519Key key_;
  std::string public_key_;
};

}  // namespace picket::relay
