#include "upstream/link_probe.h"

#include "upstream/curl_options.h"
#include "upstream/curl_task.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace picket::upstream {
namespace {

// One that takes longer was begun while there was no link.
constexpr std::chrono::milliseconds longest(5'000);
constexpr std::size_t most = 5;
// Each leaves a thread behind while it waits for a name server.
constexpr std::ptrdiff_t most_looking_up = 2;

// The same place without TLS, whose handshake costs a hundred times what a connection does.
std::string plain(const std::string& origin) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  char* port = nullptr;
  char* text = nullptr;
  if (!url || curl_url_set(url.get(), CURLUPART_URL, origin.c_str(), 0) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK) {
    return origin;
  }
  const std::unique_ptr<char, void (*)(void*)> keep_port(port, curl_free);
  if (curl_url_set(url.get(), CURLUPART_SCHEME, "http", 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_PORT, port, 0) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) {
    return origin;
  }
  const std::unique_ptr<char, void (*)(void*)> keep_text(text, curl_free);
  return text;
}

}  // namespace

class LinkProbe::Attempt final : public CurlTask {
 public:
  Attempt(LinkProbe& owner, const std::string& origin) : owner_(owner), easy_(curl_easy_init()) {
    if (!easy_) std::abort();
    take(easy_.get());
    set_limits(easy_.get(), owner.config_);
    set_way(easy_.get(), owner.config_);
    owner.meter_.watch(easy_.get(), false);
    set_option(easy_.get(), CURLOPT_URL, plain(origin).c_str());
    set_option(easy_.get(), CURLOPT_CONNECT_ONLY, 1L);
    set_option(easy_.get(), CURLOPT_FRESH_CONNECT, 1L);
    set_option(easy_.get(), CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(longest.count()));
    if (owner.address_.empty()) return;
    const bool six = owner.address_.find(':') != std::string::npos;
    const std::string there = "::" + (six ? "[" + owner.address_ + "]" : owner.address_) + ":";
    to_.reset(curl_slist_append(nullptr, there.c_str()));
    set_option(easy_.get(), CURLOPT_CONNECT_TO, to_.get());
  }

  CURL* easy() const { return easy_.get(); }
  bool is_looking_up() const {
    curl_off_t micros = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_NAMELOOKUP_TIME_T, &micros);
    return micros == 0;
  }
  void on_finished(CURLM* multi, CURLcode code) override { owner_.on_finished(*this, multi, code == CURLE_OK); }

 private:
  LinkProbe& owner_;
  std::unique_ptr<curl_slist, FreeList> to_;
  std::unique_ptr<CURL, CloseEasy> easy_;
};

LinkProbe::LinkProbe(const DestinationConfig& config, WireMeter& meter) : config_(config), meter_(meter) {}

LinkProbe::~LinkProbe() = default;

void LinkProbe::pump(CURLM* multi, const std::string& origin, Steady::time_point now, std::function<void()> connected) {
  connected_ = std::move(connected);
  if (now < next_) return;
  next_ = now + config_.probe_every;
  const auto looking_up = std::count_if(attempts_.begin(), attempts_.end(), [](const auto& one) { return one->is_looking_up(); });
  if (attempts_.size() >= most || looking_up >= most_looking_up) return;
  attempts_.push_back(std::make_unique<Attempt>(*this, origin));
  if (curl_multi_add_handle(multi, attempts_.back()->easy()) != CURLM_OK) std::abort();
}

void LinkProbe::end(CURLM* multi) {
  for (const auto& attempt : attempts_) curl_multi_remove_handle(multi, attempt->easy());
  attempts_.clear();
}

Duration LinkProbe::due_in(Steady::time_point now) const {
  return std::max(std::chrono::ceil<Duration>(next_ - now), Duration(0));
}

void LinkProbe::on_finished(Attempt& attempt, CURLM* multi, bool connected) {
  curl_multi_remove_handle(multi, attempt.easy());
  std::erase_if(attempts_, [&](const auto& one) { return one.get() == &attempt; });
  if (connected && connected_) connected_();
}

}  // namespace picket::upstream
