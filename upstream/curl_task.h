// What a handle of the forwarder's loop is for.
//
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "upstream/curl_options.h"

#include <curl/curl.h>

namespace picket::upstream {

class CurlTask {
 public:
  CurlTask(const CurlTask&) = delete;
  CurlTask& operator=(const CurlTask&) = delete;

  // REQUIRES: a task has taken the handle.
  static CurlTask& of(CURL* easy) {
    char* task = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &task);
    return *static_cast<CurlTask*>(static_cast<void*>(task));
  }
  // libcurl has reported the handle's end.
  virtual void on_finished(CURLM* multi, CURLcode code) = 0;

 protected:
  CurlTask() = default;
  ~CurlTask() = default;
  void take(CURL* easy) { set_option(easy, CURLOPT_PRIVATE, static_cast<void*>(this)); }
};

}  // namespace picket::upstream
