// A Response's head as bytes: status line, the server's own fields, then the service's.
#pragma once

#include "relay/http/message.h"

#include <cstddef>
#include <ctime>
#include <string>
#include <string_view>

namespace picket::http {

// "Sun, 06 Nov 1994 08:49:37 GMT", rendered once a second. Belongs to one thread.
class DateText {
 public:
  std::string_view at(std::time_t now);

 private:
  std::time_t rendered_ = -1;
  std::string text_;
};

struct Framing {
  std::string_view date;
  bool close = false;    // say that the connection ends here
  bool http10 = false;   // keep-alive must be said to a 1.0 client
  bool to_head = false;  // answers a HEAD request: the body's length, not the body
};

// True when no field could be read as something else: names are tokens, values free of control
// characters. What comes from outside may be reflected in a header; CR LF there would forge
// headers.
bool is_safe(const Response& response);

// True when a response of that status never has a body: 1xx, 204, 304.
bool is_bodiless(unsigned status);

// Appends the head, empty line included. REQUIRES: is_safe(response).
void render_head(std::string& out, const Response& response, const Framing& framing);

// {"detail": …, "causes": []}, as Sentry's errors. REQUIRES: `detail` needs no escapes in JSON.
Response error_response(unsigned status, std::string_view detail);

}  // namespace picket::http
