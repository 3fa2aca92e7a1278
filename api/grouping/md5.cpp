#include "api/grouping/md5.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace picket::grouping {

std::string_view raw_bytes(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size()};
}

std::string render_hash(const Hash& hash) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto byte : hash.bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 0xf];
  }
  return out;
}

Hash md5_of(std::string_view bytes) {
  struct Free {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  // Fetched once: EVP_md5() would look the algorithm up at every use.
  static const std::unique_ptr<EVP_MD, Free> md5(EVP_MD_fetch(nullptr, "MD5", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  Hash hash;
  unsigned length = 0;
  const bool done = md5 && EVP_DigestInit_ex2(context.get(), md5.get(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), hash.bytes.data(), &length) == 1;
  if (!done) std::abort();  // OpenSSL without MD5: no issue could ever be found again
  return hash;
}

}  // namespace picket::grouping
