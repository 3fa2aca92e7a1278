#include "relay/http/certificate_check.h"

#include "relay/http/transport.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

namespace picket::http {
namespace {

constexpr auto certificate_subject = "certificate";

std::optional<Time> time_of(const ASN1_TIME* stamp) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(stamp, &parts) != 1) return std::nullopt;
  return time_from_ms(std::int64_t{::timegm(&parts)} * 1000);
}

struct Validity {
  std::optional<Time> from;
  std::optional<Time> until;
};

// Of the first certificate in the file, which is the one shown.
std::optional<Validity> read_validity(const std::string& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(std::fopen(file.c_str(), "re"), &std::fclose);
  if (!opened) return std::nullopt;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(PEM_read_X509(opened.get(), nullptr, nullptr, nullptr), &X509_free);
  ERR_clear_error();
  if (!certificate) return std::nullopt;
  return Validity{time_of(X509_get0_notBefore(certificate.get())), time_of(X509_get0_notAfter(certificate.get()))};
}

bool is_loopback(const std::string& listen) {
  return listen.starts_with("127.") || listen.starts_with("localhost:") || listen.starts_with("[::1]");
}

}  // namespace

Finding judge_expiry(std::string_view subject, std::string_view whose, Duration remaining, std::string_view to_do) {
  constexpr auto soon = std::chrono::hours(24 * 30);
  const auto days = std::chrono::duration_cast<std::chrono::hours>(remaining).count() / 24;
  Finding finding;
  finding.subject = subject;
  const std::string words(whose);
  if (remaining <= Duration(0)) {
    finding.grade = Grade::fail;
    finding.words = words + " has expired " + std::to_string(-days) + " days ago";
  } else {
    finding.grade = remaining < soon ? Grade::warn : Grade::ok;
    finding.words = words + " is valid for " + std::to_string(days) + " more days";
  }
  if (finding.grade != Grade::ok) finding.to_do = to_do;
  return finding;
}

std::vector<Finding> check_certificate(const ServerConfig& config, Time now) {
  if (config.certificate_file.empty()) {
    if (is_loopback(config.listen)) return {{Grade::ok, certificate_subject, "none; " + config.listen + " is reached from this machine only"}};
    return {{Grade::warn, certificate_subject, "none, and " + config.listen + " is reached from elsewhere: what is sent can be read on the way",
             "set server.certificate_file and key_file, unless a proxy in front of it does TLS"}};
  }
  if (const auto loaded = TlsContext::load(config.certificate_file, config.key_file); !loaded) {
    return {{Grade::fail, certificate_subject, loaded.error().detail, "put a PEM chain and its key where server.certificate_file and key_file say, readable by the service"}};
  }
  std::vector<Finding> findings;
  const auto validity = read_validity(config.certificate_file);
  if (!validity || !validity->from || !validity->until) {
    findings.push_back({Grade::fail, certificate_subject, "its dates cannot be read in " + config.certificate_file, "put the certificate first in that file"});
  } else if (now < *validity->from) {
    findings.push_back({Grade::fail, certificate_subject, "it is not valid yet", "check the clock, then the certificate: openssl x509 -noout -dates -in " + config.certificate_file});
  } else {
    findings.push_back(judge_expiry(certificate_subject, "ours", *validity->until - now, "renew it, then restart the service"));
  }
  struct stat status {};
  if (::stat(config.key_file.c_str(), &status) == 0 && (status.st_mode & S_IRWXO) != 0) {
    findings.push_back({Grade::warn, "certificate key", "every user of this machine can read it", "chmod o-rwx " + config.key_file});
  }
  return findings;
}

}  // namespace picket::http
