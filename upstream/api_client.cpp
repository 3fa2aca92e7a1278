#include "upstream/api_client.h"

#include "buffer/stamp.h"

#include <cstdlib>
#include <initializer_list>
#include <utility>

namespace picket::upstream {
namespace {

// A list of a hundred issues takes some 300 KB, an issue with its activities less.
constexpr std::size_t most_answer_bytes = std::size_t{8} << 20;

}  // namespace

std::string percent_encoded(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (plain) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', digits[byte >> 4], digits[byte & 0xf]};
  }
  return encoded;
}

ApiClient::ApiClient(const DestinationConfig& config, std::string origin)
    : origin_(std::move(origin)), easy_(curl_easy_init()), error_(CURL_ERROR_SIZE, '\0') {
  if (!easy_) std::abort();
  set_limits(easy_.get(), config);
  set_way(easy_.get(), config);
  set_option(easy_.get(), CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl knows
  set_option(easy_.get(), CURLOPT_ERRORBUFFER, error_.data());
  set_option(easy_.get(), CURLOPT_WRITEFUNCTION, &ApiClient::on_body);
  set_option(easy_.get(), CURLOPT_WRITEDATA, static_cast<void*>(this));
}

std::size_t ApiClient::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& client = *static_cast<ApiClient*>(self);
  const std::size_t arrived = size * count;
  if (client.body_.size() + arrived > most_answer_bytes) return 0;  // ends the transfer
  client.body_.append(bytes, arrived);
  return arrived;
}

void ApiClient::start(CURLM* multi, ApiRequest request, const std::string& token) {
  if (busy_) std::abort();
  request_ = std::move(request);
  body_.clear();
  error_[0] = '\0';
  std::string stamp;
  if (!request_.stamp.empty()) stamp = std::string(buffer::stamp_header) + ": " + request_.stamp;
  curl_slist* list = nullptr;
  for (const std::string& header : {std::string("Authorization: Bearer ") + token, std::string("Accept: application/json"),
                                    std::string("Content-Type: application/json"), std::string("User-Agent: picket/" PICKET_VERSION),
                                    std::string("X-Picket-Sync: 1"), stamp}) {
    if (header.empty()) continue;
    curl_slist* longer = curl_slist_append(list, header.c_str());
    if (longer == nullptr) std::abort();
    list = longer;
  }
  set_option(easy_.get(), CURLOPT_HTTPHEADER, list);
  headers_.reset(list);
  const auto url = origin_ + "/api/0/" + request_.path;
  set_option(easy_.get(), CURLOPT_URL, url.c_str());
  if (request_.put) {
    set_option(easy_.get(), CURLOPT_CUSTOMREQUEST, "PUT");
    set_option(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set_option(easy_.get(), CURLOPT_POSTFIELDS, request_.body.data());
  } else {
    set_option(easy_.get(), CURLOPT_CUSTOMREQUEST, static_cast<const char*>(nullptr));
    set_option(easy_.get(), CURLOPT_HTTPGET, 1L);
  }
  if (curl_multi_add_handle(multi, easy_.get()) != CURLM_OK) std::abort();
  busy_ = true;
}

ApiAnswer ApiClient::finish(CURLM* multi, CURLcode code) {
  ApiAnswer answer;
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<unsigned>(status);
  if (code == CURLE_WRITE_ERROR) {
    answer.failure = "the answer is larger than 8 MiB";
  } else if (code != CURLE_OK) {
    answer.failure = error_[0] != '\0' ? std::string(error_.c_str()) : std::string(curl_easy_strerror(code));
  }
  answer.content_type = find_header(easy_.get(), "Content-Type");
  answer.retry_after = find_header(easy_.get(), "Retry-After");
  answer.limit_reset = find_header(easy_.get(), "X-Sentry-Rate-Limit-Reset");
  answer.location = find_header(easy_.get(), "Location");
  answer.body = std::move(body_);
  abandon(multi);
  return answer;
}

void ApiClient::abandon(CURLM* multi) {
  if (!busy_) return;
  curl_multi_remove_handle(multi, easy_.get());
  busy_ = false;
  request_ = ApiRequest();
  body_.clear();
}

}  // namespace picket::upstream
