#include "upstream/relay_session.h"

#include "upstream/curl_options.h"
#include "upstream/curl_task.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace picket::upstream {
namespace {

// Of an answer: the configs of a hundred projects are some 2 MB.
constexpr std::size_t most_answer_bytes = std::size_t{16} << 20;
constexpr std::size_t most_credentials_bytes = 4'096;
// A younger question may be waiting for a packet that was lost.
constexpr std::chrono::milliseconds patient_for(1'500);
constexpr Duration signature_serves = std::chrono::seconds(1);

}  // namespace

// One question, signed with its body.
class RelaySession::Query final : public CurlTask {
 public:
  Query(RelaySession& owner, const std::string& path, std::string body)
      : owner_(owner), easy_(curl_easy_init()), body_(std::move(body)), error_(CURL_ERROR_SIZE, '\0') {
    if (!easy_) std::abort();
    take(easy_.get());
    set_limits(easy_.get(), owner.config_);
    set_way(easy_.get(), owner.config_);
    owner.meter_.watch(easy_.get(), false);
    set_option(easy_.get(), CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl knows
    set_option(easy_.get(), CURLOPT_ERRORBUFFER, error_.data());
    set_option(easy_.get(), CURLOPT_WRITEFUNCTION, &Query::on_body);
    set_option(easy_.get(), CURLOPT_WRITEDATA, static_cast<void*>(this));
    const auto& identity = *owner.identity_;
    for (const std::string& header :
         {std::string("Content-Type: application/json"), std::string("User-Agent: picket/" PICKET_VERSION), std::string("Expect:"),
          "X-Sentry-Relay-Id: " + identity.id(), "X-Sentry-Relay-Signature: " + identity.sign(body_, owner.clock_.now())}) {
      curl_slist* longer = curl_slist_append(headers_.get(), header.c_str());
      if (longer == nullptr) std::abort();
      if (!headers_) headers_.reset(longer);
      bytes_ += header.size() + 2;
    }
    set_option(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
    const std::string url = owner.origin_ + path;
    set_option(easy_.get(), CURLOPT_URL, url.c_str());
    set_option(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    set_option(easy_.get(), CURLOPT_POSTFIELDS, body_.data());
    bytes_ += url.size() + body_.size();
  }

  CURL* easy() const { return easy_.get(); }
  std::size_t bytes() const { return bytes_; }
  bool has_connection() const { return upstream::has_connection(easy_.get()); }
  void on_finished(CURLM* multi, CURLcode code) override { owner_.on_finished(multi, code); }

  Answer answer(CURLcode code) {
    Answer answer;
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<unsigned>(status);
    if (code != CURLE_OK) answer.failure = error_[0] != '\0' ? std::string(error_.c_str()) : std::string(curl_easy_strerror(code));
    answer.unreached = code != CURLE_OK && !has_connection();
    answer.content_type = find_header(easy_.get(), "Content-Type");
    answer.retry_after = find_header(easy_.get(), "Retry-After");
    answer.location = find_header(easy_.get(), "Location");
    answer.body = std::move(answer_);
    return answer;
  }

 private:
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& query = *static_cast<Query*>(self);
    if (query.answer_.size() + size * count > most_answer_bytes) return 0;  // ends the transfer
    query.answer_.append(bytes, size * count);
    return size * count;
  }

  RelaySession& owner_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<CURL, CloseEasy> easy_;
  const std::string body_;
  std::string answer_;
  std::string error_;  // CURL_ERROR_SIZE bytes
  std::size_t bytes_ = 0;
};

Result<relay::RelayIdentity> read_relay_credentials(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return Error{Fault::unavailable, "the credentials cannot be read from " + file};
  std::string text(most_credentials_bytes, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  auto identity = relay::RelayIdentity::parse(text);
  if (!identity) return Error{identity.error().fault, file + " holds no Relay's credentials: " + identity.error().detail};
  return identity;
}

RelaySession::RelaySession(const DestinationConfig& config, std::string origin, const Clock& clock, WireMeter& meter)
    : config_(config),
      origin_(std::move(origin)),
      clock_(clock),
      meter_(meter),
      registration_({config.relay_register_every, config.retry_min, config.retry_max, config.hold_probe}),
      configs_({config.retry_min, config.retry_max, config.hold_probe}) {}

RelaySession::~RelaySession() = default;

const std::string& RelaySession::id() const {
  static const std::string none;
  return identity_ ? identity_->id() : none;
}

Duration RelaySession::due_in(Steady::time_point now) const {
  if (query_) return Duration::max();
  const auto renewal = registration_.due_in(now);
  return registration_.registered() ? std::min(renewal, configs_.due_in(now)) : renewal;
}

// Each time it registers: the file may have been exchanged.
bool RelaySession::read_credentials() {
  auto identity = read_relay_credentials(config_.relay_credentials_file);
  if (!identity) {
    registration_.deny(identity.error().detail, Steady::now());
    return false;
  }
  identity_ = *std::move(identity);
  signed_at_ = {};
  return true;
}

std::size_t RelaySession::pump(CURLM* multi, std::function<void(const Answer&)> answered) {
  const auto now = Steady::now();
  if (query_ || due_in(now) > Duration(0)) return 0;
  answered_ = std::move(answered);
  registering_ = registration_.due_in(now) == Duration(0);
  if (registering_) {
    if (!read_credentials()) {
      answered_({});
      return 0;
    }
    auto question = registration_.ask(*identity_);
    query_ = std::make_unique<Query>(*this, question.path, std::move(question.body));
  } else {
    query_ = std::make_unique<Query>(*this, "/api/0/relays/projectconfigs/?version=3", configs_.ask());
  }
  asked_under_ = registration_.generation();
  asked_at_ = now;
  if (curl_multi_add_handle(multi, query_->easy()) != CURLM_OK) std::abort();
  return query_->bytes();
}

void RelaySession::on_finished(CURLM* multi, CURLcode code) {
  const auto query = std::move(query_);
  const Answer answer = query->answer(code);
  curl_multi_remove_handle(multi, query->easy());
  take_in(answer);
  answered_(answer);
}

void RelaySession::take_in(const Answer& answer) {
  const auto now = Steady::now();
  if (registering_) return registration_.on_answered(answer, clock_.now(), now);
  if (configs_.on_answered(answer, clock_.now(), now)) {
    if (answer.failure.empty() && answer.status / 100 == 2) registration_.on_accepted();
    return;
  }
  if (!registration_.doubt(asked_under_, answer.body, now)) registration_.deny(judge(answer).reason, now);
}

bool RelaySession::is_stuck(Steady::time_point now) const {
  return query_ && now - asked_at_ >= patient_for && !query_->has_connection();
}

void RelaySession::abandon(CURLM* multi) {
  if (!query_) return;
  curl_multi_remove_handle(multi, query_->easy());
  query_.reset();
  configs_.give_up();
}

void RelaySession::hasten(bool by_operator) {
  const auto now = Steady::now();
  if (by_operator) {
    registration_.resume(now);
  } else {
    registration_.hasten(now);
  }
  configs_.hasten(now);
}

const std::vector<std::string>& RelaySession::signed_headers() {
  const Time now = clock_.now();
  if (now >= signed_at_ + signature_serves || now < signed_at_) {
    headers_ = {"X-Sentry-Relay-Id: " + identity_->id(), "X-Sentry-Relay-Signature: " + identity_->sign({}, now)};
    signed_at_ = now;
  }
  return headers_;
}

}  // namespace picket::upstream
