// The REST API of one destination: one request at a time, reusable.
//
// INVARIANT  The token goes to the configured API address and nowhere else, and into no log line.
// THREADS    Belongs to the worker of the status sync.
#pragma once

#include "upstream/api_answer.h"
#include "upstream/config.h"
#include "upstream/curl_options.h"

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>

namespace picket::upstream {

struct ApiRequest {
  bool put = false;   // with `body`; else a GET
  std::string path;   // below /api/0/, encoded
  std::string body;   // JSON
  std::string stamp;  // of the change that is told, for another Picket; may be empty
};

class ApiClient {
 public:
  // `origin` is scheme://host[:port]path of the API.
  ApiClient(const DestinationConfig& config, std::string origin);
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  bool busy() const { return busy_; }
  bool owns(const CURL* easy) const { return easy_.get() == easy; }

  // REQUIRES: not busy; `token` is one, see is_token().
  void start(CURLM* multi, ApiRequest request, const std::string& token);
  // The answer, once libcurl has reported the end of the transfer.
  ApiAnswer finish(CURLM* multi, CURLcode code);
  void abandon(CURLM* multi);

 private:
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);

  const std::string origin_;
  std::unique_ptr<CURL, CloseEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  ApiRequest request_;
  std::string body_;   // of the answer
  std::string error_;  // CURL_ERROR_SIZE bytes
  bool busy_ = false;
};

// A text as part of a path or a query.
std::string percent_encoded(std::string_view text);

}  // namespace picket::upstream
