// One envelope under way on libcurl, reusable.
//
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "upstream/answer.h"
#include "upstream/config.h"
#include "upstream/curl_options.h"
#include "upstream/parcel.h"
#include "upstream/wire_meter.h"

#include <curl/curl.h>

#include <memory>
#include <string>

namespace picket::upstream {

class Destination;

class Transfer {
 public:
  Transfer(const DestinationConfig& config, Destination& owner, WireMeter& meter);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The one whose handle libcurl has named.
  static Transfer& of(CURL* easy);
  Destination& owner() const { return owner_; }

  void start(CURLM* multi, Request request);
  // The answer, once libcurl has reported the end of the transfer.
  Answer finish(CURLM* multi, CURLcode code);
  void abandon(CURLM* multi);
  // After grant() gave nothing: asks it again.
  void go_on() { curl_easy_pause(easy_.get(), CURLPAUSE_CONT); }

  std::size_t body_bytes() const { return request_.body_bytes(); }
  // Of a paced one: not yet handed to libcurl.
  std::size_t unsent_bytes() const { return paced_ ? body_bytes() - read_bytes_ : 0; }

 private:
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* into, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  std::string find_header(const char* name) const;

  Destination& owner_;
  std::unique_ptr<CURL, CloseEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  Request request_;
  bool paced_ = false;               // the owner grants each piece
  std::size_t read_bytes_ = 0;       // of a large or paced request, given to libcurl
  std::string body_;                 // of the answer, its first bytes
  std::size_t answer_bytes_ = 0;     // of the answer, all
  std::string error_;                // CURL_ERROR_SIZE bytes
};

}  // namespace picket::upstream
