// One envelope under way on libcurl, reusable.
//
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "upstream/answer.h"
#include "upstream/config.h"
#include "upstream/curl_options.h"
#include "upstream/curl_task.h"
#include "upstream/parcel.h"
#include "upstream/wire_meter.h"

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>

namespace picket::upstream {

class Destination;

class Transfer final : public CurlTask {
 public:
  Transfer(const DestinationConfig& config, Destination& owner, WireMeter& meter);

  // On which connection a request may go.
  struct Way {
    std::chrono::seconds oldest = std::chrono::seconds::max();  // 0: a new one
    bool look_up_anew = false;  // what name servers said before counts no longer
  };
  void start(CURLM* multi, Request request, Way way);
  // The answer, once libcurl has reported the end of the transfer.
  Answer finish(CURLM* multi, CURLcode code);
  void on_finished(CURLM* multi, CURLcode code) override;
  void abandon(CURLM* multi);
  // Nothing gets through: no connection yet, or one that has repeated what it sent three times and more.
  bool is_stuck() const;
  // The name is still being asked for.
  bool is_looking_up() const { return !has_connection() && opened_ == CURL_SOCKET_BAD; }
  // Of a packet, at best; 0 when nothing is known of it.
  Duration round_trip() const;
  // Where that leads: an address; empty with a proxy.
  std::string address() const;
  // After grant() gave nothing: asks it again.
  void go_on() { curl_easy_pause(easy_.get(), CURLPAUSE_CONT); }

  std::size_t body_bytes() const { return request_.body_bytes(); }
  // Of a paced one: not yet handed to libcurl.
  std::size_t unsent_bytes() const { return paced_ ? body_bytes() - read_bytes_ : 0; }

 private:
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* into, std::size_t size, std::size_t count, void* self);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_seek(void* self, curl_off_t offset, int origin);
  bool has_connection() const;
  curl_socket_t socket() const;  // bad: there is none
  std::chrono::microseconds duration_of(CURLINFO what) const;
  std::string find_header(const char* name) const;

  Destination& owner_;
  std::unique_ptr<CURL, CloseEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  Request request_;
  curl_socket_t opened_ = CURL_SOCKET_BAD;  // for this request; bad: it has none yet, or one that was there
  bool paced_ = false;               // the owner grants each piece
  bool by_proxy_ = false;
  std::size_t read_bytes_ = 0;       // of a large or paced request, given to libcurl
  std::string body_;                 // of the answer, its first bytes
  std::size_t answer_bytes_ = 0;     // of the answer, all
  std::string error_;                // CURL_ERROR_SIZE bytes
};

}  // namespace picket::upstream
