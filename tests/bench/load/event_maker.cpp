#include "bench/load/event_maker.h"

#include <array>
#include <string_view>

namespace picket::load {
namespace {

constexpr std::array<std::string_view, 24> nouns{
    "order",   "invoice", "basket",   "customer", "payment",   "shipment", "coupon", "product",
    "session", "worker",  "queue",    "cache",    "warehouse", "label",    "refund", "address",
    "catalog", "price",   "currency", "tax",      "email",     "report",   "stock",  "profile"};
constexpr std::array<std::string_view, 16> verbs{
    "load",  "store",  "render", "validate", "submit", "fetch", "merge",    "resolve",
    "apply", "cancel", "lock",   "refresh",  "export", "parse", "dispatch", "retry"};
constexpr std::array<std::string_view, 8> faults{
    "timeout after 30 s", "connection reset by peer", "value must not be null",
    "no such row",        "unexpected end of input",  "permission denied",
    "deadlock detected",  "division by zero"};

template <std::size_t n>
std::string_view pick(const std::array<std::string_view, n>& words, std::mt19937_64& random) {
  return words.at(random() % n);
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

std::string function_name(std::mt19937_64& random) {
  std::string name(pick(verbs, random));
  return name.append("_").append(pick(nouns, random)).append("_").append(number(random() % 40));
}

}  // namespace

std::string EventMaker::hex(std::size_t digits) {
  std::string out;
  for (std::size_t i = 0; i < digits; ++i)
    out += "0123456789abcdef"[below(16)];
  return out;
}

// The place comes from `random`, the values of the variables from this maker's own.
std::string EventMaker::frame(std::mt19937_64& random, bool in_app, const EventShape& shape) {
  const std::string module(pick(nouns, random));
  const auto function = function_name(random);
  const auto line = 20 + random() % 600;
  const std::string root = in_app ? "/srv/shop/" : "/usr/lib/python3.11/site-packages/framework/";
  std::string json = R"({"function":")" + function + R"(","module":")" +
                     (in_app ? "shop." : "framework.") + module + R"(","filename":")" + module +
                     R"(.py","abs_path":")" + root + module + R"(.py","lineno":)" + number(line) +
                     R"(,"in_app":)" + (in_app ? "true" : "false");
  json +=
      R"(,"pre_context":["    )" + std::string(pick(nouns, random)) + " = self." +
      function_name(random) + R"j((request)","    if not )j" + std::string(pick(nouns, random)) +
      R"(:","        return None"],"context_line":"    result = )" + function + "(" +
      std::string(pick(nouns, random)) +
      R"j(, retry=True)","post_context":["    self.log.debug('done')","    return result",""])j";
  if (in_app) {
    json += R"(,"vars":{"self":"<shop.)" + module + " object at 0x7f" + hex(10) + R"(>")";
    for (unsigned i = 0; i < shape.variables; ++i) {
      json += R"(,")" + std::string(pick(nouns, random)) + number(i) + R"(":"<)" +
              std::string(pick(nouns, random_)) + " " + number(below(10'000'000)) + " " + hex(8) +
              R"(>")";
    }
    json += '}';
  }
  return json + '}';
}

std::string EventMaker::breadcrumb() {
  const auto when = R"({"timestamp":17)" + number(100'000'000 + below(20'000'000)) + "." +
                    number(100 + below(900));
  switch (below(3)) {
    case 0:
      return when + R"(,"category":"query","level":"info","message":"SELECT * FROM )" +
             std::string(pick(nouns, random_)) + " WHERE id = " + number(below(1'000'000)) +
             R"(","data":{"db":"shop","rows":)" + number(below(50)) + "}}";
    case 1:
      return when + R"(,"type":"http","category":"httplib","data":{"url":"https://)" +
             std::string(pick(nouns, random_)) + ".internal/v1/" +
             std::string(pick(nouns, random_)) + "/" + hex(12) +
             R"(","method":"GET","status_code":)" + number(below(10) == 0 ? 502 : 200) + "}}";
    default:
      return when + R"(,"category":"shop.)" + std::string(pick(nouns, random_)) +
             R"(","level":"debug","message":")" + std::string(pick(verbs, random_)) + " " +
             std::string(pick(nouns, random_)) + " " + number(below(100'000)) + R"( for request )" +
             hex(16) + R"("})";
  }
}

std::string EventMaker::make_tail(std::uint64_t family, const EventShape& shape) {
  std::mt19937_64 places(family);
  const std::string where(pick(nouns, places));
  std::string json =
      R"(,"value":")" + std::string(pick(nouns, random_)) + " " + number(below(1'000'000)) +
      " failed: " + std::string(pick(faults, random_)) +
      R"(","module":"shop.errors","mechanism":{"type":"django","handled":false},"stacktrace":{"frames":[)";
  for (unsigned i = 0; i < shape.frames; ++i) {
    if (i != 0) json += ',';
    json += frame(places, i % 3 != 0, shape);
  }
  json +=
      R"(]}}]},"level":")" + std::string(below(10) == 0 ? "fatal" : "error") +
      R"(","platform":"python","logger":"shop.)" + where + R"(","transaction":"/)" + where + "/" +
      R"({id}/submit","server_name":"web-)" + number(below(12)) + R"(","release":"shop@2.)" +
      number(below(6)) + R"(.0","environment":")" + (below(4) == 0 ? "staging" : "production") +
      R"(","request":{"url":"https://shop.example/)" + where + "/" + number(below(100'000)) +
      R"(/submit","method":"POST","query_string":"page=)" + number(below(50)) +
      R"(","headers":{"Accept":"application/json","Host":"shop.example","X-Request-Id":")" +
      hex(32) +
      R"(","User-Agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/12)" +
      number(below(9)) + R"(.0.0.0 Safari/537.36"}})";
  json +=
      R"(,"contexts":{"browser":{"name":")" + std::string(below(3) == 0 ? "Firefox" : "Chrome") +
      R"(","version":"12)" + number(below(9)) +
      R"(.0"},"runtime":{"name":"CPython","version":"3.11.2"},"os":{"name":"Linux","version":"6.1.0"},"trace":{"trace_id":")" +
      hex(32) + R"(","span_id":")" + hex(16) + R"(","op":"http.server"}},"tags":{"region":"eu-)" +
      number(below(3)) + R"(","tier":")" + (below(2) == 0 ? "gold" : "basic") + R"(","worker":"w)" +
      number(below(16)) + R"("},"extra":{"attempt":)" + number(below(5)) + R"(,"correlation":")" +
      hex(32) + R"("},"breadcrumbs":{"values":[)";
  for (unsigned i = 0; i < shape.breadcrumbs; ++i) {
    if (i != 0) json += ',';
    json += breadcrumb();
  }
  return json +
         R"(]},"modules":{"django":"4.2.11","psycopg":"3.1.18","celery":"5.3.6","sentry-sdk":"2.14.0"},"sdk":{"name":"sentry.python.django","version":"2.14.0"}})";
}

}  // namespace picket::load
