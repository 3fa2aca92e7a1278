// What every request of this room has in common: how long it waits, and that it goes nowhere but to
// the destination's own host.
//
// INVARIANT  No redirect is followed; no proxy, netrc or alternative service is taken from the
//            environment.
#pragma once

#include "buffer/logger.h"
#include "upstream/config.h"

#include <curl/curl.h>

#include <cstdlib>
#include <string>

namespace picket::upstream {

struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CloseMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

template <class Value>
void set_option(CURL* easy, CURLoption option, Value value) {
  if (curl_easy_setopt(easy, option, value) == CURLE_OK) return;
  log(Level::error, "upstream", "libcurl refuses an option", {{"option", static_cast<int>(option)}});
  std::abort();
}

CURLM* make_multi();
void set_limits(CURL* easy, const DestinationConfig& config);
void set_way(CURL* easy, const DestinationConfig& config);
// Of the answer: the first header of that name; empty when there is none.
std::string find_header(CURL* easy, const char* name);
// Part of the request has been sent: there was a connection to send it on.
bool has_connection(CURL* easy);

}  // namespace picket::upstream
