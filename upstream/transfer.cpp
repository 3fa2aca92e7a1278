#include "upstream/transfer.h"

#include "upstream/curl_options.h"
#include "upstream/destination.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

namespace picket::upstream {
namespace {

constexpr long name_kept_seconds = 60;
// <netinet/tcp.h> names it, which does not go with <linux/tcp.h>.
constexpr std::uint8_t tcp_syn_sent = 2;

bool is_unreached(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT ||
         code == CURLE_OPERATION_TIMEDOUT;
}

std::optional<tcp_info> connection_info(curl_socket_t socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  const bool there = socket != CURL_SOCKET_BAD && ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  return there ? std::optional(info) : std::nullopt;
}

}  // namespace

Transfer::Transfer(const DestinationConfig& config, Destination& owner, WireMeter& meter)
    : owner_(owner), easy_(curl_easy_init()), paced_(config.link.max_bytes_per_second > 0), by_proxy_(!config.proxy.empty()), error_(CURL_ERROR_SIZE, '\0') {
  if (!easy_) std::abort();
  set_limits(easy_.get(), config);
  set_way(easy_.get(), config);
  meter.watch(easy_.get(), paced_);
  // Answers are small; libcurl's defaults would take 80 KB for each request under way.
  set_option(easy_.get(), CURLOPT_BUFFERSIZE, 4'096L);
  set_option(easy_.get(), CURLOPT_UPLOAD_BUFFERSIZE, 32'768L);
  take(easy_.get());
  set_option(easy_.get(), CURLOPT_POST, 1L);
  set_option(easy_.get(), CURLOPT_ERRORBUFFER, error_.data());
  set_option(easy_.get(), CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set_option(easy_.get(), CURLOPT_WRITEDATA, static_cast<void*>(this));
  set_option(easy_.get(), CURLOPT_READFUNCTION, &Transfer::on_read);
  set_option(easy_.get(), CURLOPT_READDATA, static_cast<void*>(this));
  set_option(easy_.get(), CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open);
  set_option(easy_.get(), CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set_option(easy_.get(), CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
  set_option(easy_.get(), CURLOPT_SEEKDATA, static_cast<void*>(this));
}

void Transfer::on_finished(CURLM* multi, CURLcode code) {
  owner_.on_finished(multi, *this, code);
}

bool Transfer::has_connection() const {
  return upstream::has_connection(easy_.get());
}

std::chrono::microseconds Transfer::duration_of(CURLINFO what) const {
  curl_off_t micros = 0;
  curl_easy_getinfo(easy_.get(), what, &micros);
  return std::chrono::microseconds(micros);
}

// A handshake may take as long as it likes: over a slow link it takes as long as its certificates.
bool Transfer::is_stuck() const {
  if (is_looking_up()) return true;
  const auto info = connection_info(socket());
  return info && (info->tcpi_state == tcp_syn_sent || info->tcpi_retransmits >= 3);
}

Duration Transfer::round_trip() const {
  const auto info = connection_info(socket());
  if (!info || info->tcpi_min_rtt == UINT32_MAX) return Duration(0);  // none was measured
  return std::chrono::duration_cast<Duration>(std::chrono::microseconds(info->tcpi_min_rtt));
}

curl_socket_t Transfer::socket() const {
  curl_socket_t socket = opened_;
  if (socket == CURL_SOCKET_BAD) curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket);
  return socket;
}

curl_socket_t Transfer::on_open(void* self, curlsocktype, curl_sockaddr* address) {
  return static_cast<Transfer*>(self)->opened_ = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::string Transfer::address() const {
  char* address = nullptr;
  if (by_proxy_ || curl_easy_getinfo(easy_.get(), CURLINFO_PRIMARY_IP, &address) != CURLE_OK || address == nullptr) return {};
  return address;
}

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t arrived = size * count;
  const std::size_t room = transfer.request_.kept_answer_bytes - transfer.body_.size();
  transfer.body_.append(bytes, std::min(room, arrived));
  transfer.answer_bytes_ += arrived;
  return transfer.answer_bytes_ > transfer.request_.most_answer_bytes ? 0 : arrived;  // 0 ends the transfer
}

// A large body stays in its file until libcurl asks for the next piece.
std::size_t Transfer::on_read(char* into, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const Request& request = transfer.request_;
  const bool in_head = transfer.read_bytes_ < request.body.size();
  const auto from = in_head ? std::string_view(request.body) : request.rest.view();
  auto piece = from.substr(transfer.read_bytes_ - (in_head ? 0 : request.body.size()), size * count);
  if (transfer.paced_ && !piece.empty()) {
    piece = piece.substr(0, transfer.owner_.grant(transfer, piece.size()));
    if (piece.empty()) return CURL_READFUNC_PAUSE;
  }
  std::copy(piece.begin(), piece.end(), into);
  transfer.read_bytes_ += piece.size();
  return piece.size();
}

int Transfer::on_seek(void* self, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  transfer.read_bytes_ = std::min(static_cast<std::size_t>(offset), transfer.body_bytes());
  return CURL_SEEKFUNC_OK;
}

void Transfer::start(CURLM* multi, Request request, Way way) {
  const bool any = way.oldest == std::chrono::seconds::max();
  set_option(easy_.get(), CURLOPT_MAXLIFETIME_CONN, any ? 0L : static_cast<long>(way.oldest.count()));
  set_option(easy_.get(), CURLOPT_FRESH_CONNECT, way.oldest.count() == 0 ? 1L : 0L);
  set_option(easy_.get(), CURLOPT_DNS_CACHE_TIMEOUT, way.look_up_anew ? 0L : name_kept_seconds);
  request_ = std::move(request);
  body_.clear();
  answer_bytes_ = 0;
  error_[0] = '\0';
  opened_ = CURL_SOCKET_BAD;
  curl_slist* list = nullptr;
  for (const std::string& header : request_.headers) {
    curl_slist* longer = curl_slist_append(list, header.c_str());
    if (longer == nullptr) std::abort();
    list = longer;
  }
  set_option(easy_.get(), CURLOPT_HTTPHEADER, list);
  headers_.reset(list);
  set_option(easy_.get(), CURLOPT_URL, request_.url.c_str());
  read_bytes_ = 0;
  set_option(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body_bytes()));
  // Without fields libcurl asks on_read().
  set_option(easy_.get(), CURLOPT_POSTFIELDS, request_.rest.empty() && !paced_ ? request_.body.data() : nullptr);
  if (curl_multi_add_handle(multi, easy_.get()) != CURLM_OK) std::abort();
}

std::string Transfer::find_header(const char* name) const {
  std::string joined;
  curl_header* header = nullptr;
  for (std::size_t i = 0; curl_easy_header(easy_.get(), name, i, CURLH_HEADER, -1, &header) == CURLHE_OK; ++i) {
    if (!joined.empty()) joined += ", ";
    joined += header->value;
    if (i + 1 >= header->amount) break;
  }
  return joined;
}

Answer Transfer::finish(CURLM* multi, CURLcode code) {
  Answer answer;
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<unsigned>(status);
  // An upstream that refuses a large body may close before it has read all of it: its 4xx or 5xx is
  // an answer although the transfer failed. A 2xx cut short is none.
  if (code != CURLE_OK && status < 400) {
    answer.failure = error_[0] != '\0' ? std::string(error_.c_str()) : std::string(curl_easy_strerror(code));
  }
  answer.unreached = is_unreached(code) && !has_connection();
  long connections = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &connections);
  answer.took = duration_of(CURLINFO_TOTAL_TIME_T) - duration_of(CURLINFO_PRETRANSFER_TIME_T);
  if (connections > 0) answer.connecting = duration_of(CURLINFO_CONNECT_TIME_T) - duration_of(CURLINFO_NAMELOOKUP_TIME_T);
  answer.content_type = find_header("Content-Type");
  answer.retry_after = find_header("Retry-After");
  answer.rate_limits = find_header("X-Sentry-Rate-Limits");
  answer.location = find_header("Location");
  answer.batch_offer = find_header("X-Picket-Batch");
  answer.body = std::move(body_);
  body_.clear();
  abandon(multi);
  return answer;
}

void Transfer::abandon(CURLM* multi) {
  curl_multi_remove_handle(multi, easy_.get());
  request_ = Request();
}

}  // namespace picket::upstream
