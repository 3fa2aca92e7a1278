#include "upstream/curl_options.h"

#include <chrono>

namespace picket::upstream {

CURLM* make_multi() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = initialised == CURLE_OK ? curl_multi_init() : nullptr;
  if (multi == nullptr) {
    log(Level::error, "upstream", "libcurl cannot be initialised");
    std::abort();
  }
  return multi;
}

void set_limits(CURL* easy, const DestinationConfig& config) {
  set_option(easy, CURLOPT_NOSIGNAL, 1L);
  // A name server that is silent must not stop the loop while its thread is waited for.
  set_option(easy, CURLOPT_QUICK_EXIT, 1L);
  set_option(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(config.connect_timeout.count()));
  set_option(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  set_option(easy, CURLOPT_LOW_SPEED_TIME,
      static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(config.stall_timeout).count()));
  set_option(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set_option(easy, CURLOPT_TCP_KEEPIDLE, 60L);
  set_option(easy, CURLOPT_TCP_KEEPINTVL, 30L);
}

void set_way(CURL* easy, const DestinationConfig& config) {
  set_option(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set_option(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set_option(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set_option(easy, CURLOPT_PROXY, config.proxy.c_str());  // "" keeps the environment's away
  set_option(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!config.ca_file.empty()) set_option(easy, CURLOPT_CAINFO, config.ca_file.c_str());
  if (!config.client_certificate.empty()) {
    set_option(easy, CURLOPT_SSLCERT, config.client_certificate.c_str());
    set_option(easy, CURLOPT_SSLKEY, config.client_key.c_str());
  }
  if (config.insecure) {
    set_option(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    set_option(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

std::string find_header(CURL* easy, const char* name) {
  curl_header* header = nullptr;
  return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : std::string();
}

bool has_connection(CURL* easy) {
  long head_bytes = 0;  // sent
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &head_bytes);
  return head_bytes > 0;
}

}  // namespace picket::upstream
