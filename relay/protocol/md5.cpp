#include "relay/protocol/md5.h"

#include "relay/protocol/hex.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace picket::relay {

std::string_view raw_bytes(const Md5& hash) {
  return {reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size()};
}

std::string render_hash(const Md5& hash) {
  return render_hex(raw_bytes(hash));
}

Md5 md5_of(std::string_view bytes) {
  struct Free {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  // Fetched once: EVP_md5() would look the algorithm up at every use.
  static const std::unique_ptr<EVP_MD, Free> md5(EVP_MD_fetch(nullptr, "MD5", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  Md5 hash;
  unsigned length = 0;
  const bool done = md5 && EVP_DigestInit_ex2(context.get(), md5.get(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), hash.bytes.data(), &length) == 1;
  if (!done) std::abort();  // OpenSSL without MD5: no issue could ever be found again
  return hash;
}

}  // namespace picket::relay
