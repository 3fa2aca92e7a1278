// Where the upstream asks for a registered Relay: nothing goes before it is one, nor to a key of which it has not been
// asked whether it takes anything.
#include "upstream/destination.h"

#include "buffer/logger.h"

#include <algorithm>
#include <string>
#include <utility>

namespace picket::upstream {
namespace {

// Begins what is said of registering, and nothing else.
constexpr std::string_view not_registered = "not registered as a Relay: ";
// Until the config of a key is asked for once more, should its answer be lost.
constexpr Duration config_look = std::chrono::seconds(5);

}  // namespace

std::unique_ptr<RelaySession> Destination::make_relay() {
  return config_.managed() ? std::make_unique<RelaySession>(config_, routes_.origin(), clock_, *meter_) : nullptr;
}

bool Destination::relay_may_ask() const {
  return relay_ && !paused_ && !retired_ && !stale_ && !ending_ && !link_.wait(clock_.now(), Steady::now(), unsent_bytes());
}

// Whether all of it has to wait for the upstream to know us, or for what it says of the only key there is.
bool Destination::waits_for_relay() const {
  if (!relay_) return false;
  if (!relay_->registration().registered()) return true;
  const auto& only = routes_.only_target();
  return only && relay_->configs().awaits(only->key);
}

bool Destination::relay_fails() const {
  return relay_ && waits_for_relay() && said_.last_error.starts_with(not_registered);
}

void Destination::pump_relay(CURLM* multi) {
  if (!relay_may_ask()) return;
  const auto bytes = relay_->pump(multi, [this](const Answer& answer) { on_relay_answered(answer); });
  if (bytes == 0) return;
  relay_bytes_ = bytes;
  link_.begin(bytes, bytes, Steady::now());
}

void Destination::end_relay_query(CURLM* multi) {
  if (!relay_) return;
  relay_->abandon(multi);
  link_.end(std::exchange(relay_bytes_, 0));
}

void Destination::on_relay_answered(const Answer& answer) {
  link_.end(std::exchange(relay_bytes_, 0));
  const auto& registration = relay_->registration();
  unreached_ = answer.unreached ? routes_.origin() : std::string();
  ledger_.touch();
  if (!registration.denied().empty()) {
    const std::string words = std::string(not_registered) + registration.denied();
    if (said_.reason != words) {
      log(Level::error, "upstream", "held: the upstream does not accept us; mend it, then resume",
          {{"destination", config_.name}, {"reason", words}, {"relay", relay_->id()}, {"resume", "picket upstream resume " + config_.name}});
    }
    said_.reason = said_.last_error = words;
    relay_news_ = true;
    return;
  }
  const auto& failure = registration.registered() ? relay_->configs().failure() : registration.failure();
  if (!failure.empty()) return on_relay_failed(failure);
  if (registration.registered()) on_registered();
}

void Destination::on_relay_failed(const std::string& failure) {
  const std::string words = std::string(not_registered) + failure;
  // A config that cannot be had anew goes on serving.
  const bool known = relay_->registration().registered() && !waits_for_relay();
  if (known) return;
  if (!said_.last_error.starts_with(not_registered)) {
    log(Level::warning, "upstream", "not delivered; trying again", {{"destination", config_.name}, {"reason", words}});
  }
  ++said_.failures;
  said_.last_error = words;
}

void Destination::on_registered() {
  const auto generation = relay_->registration().generation();
  if (said_.last_error.starts_with(not_registered)) said_.last_error.clear();
  if (said_.reason.starts_with(not_registered)) said_.reason.clear();
  // It may be the config that some wait for.
  deferred_.hasten();
  no_fresh_before_ = {};
  if (generation == said_.registrations) return;
  // Renewals are no news.
  if (relay_news_) log(Level::info, "upstream", "registered as a Relay", {{"destination", config_.name}, {"relay", relay_->id()}});
  relay_news_ = false;
  said_.registrations = generation;
}

// Whether the shipment waits for what the upstream says of its key, or for its project to be enabled.
bool Destination::awaits_config(Parcel& parcel, Shipment& shipment) {
  if (!relay_ || shipment.report) return false;
  const auto* const known = relay_->configs().look(parcel.label.target.key, Steady::now());
  if (known == nullptr) {
    if (routes_.only_target()) {
      take_back(std::move(shipment));
    } else {
      put_off(std::move(shipment), clock_.now() + config_look);
    }
    return true;
  }
  if (known->disabled) {
    shipment.epoch = backoff_.epoch();
    shipment.retry_generation = retry_generation_;
    on_hold(std::move(shipment), "the upstream says that the key's project is disabled, or not open to this Relay");
    return true;
  }
  if (known->project != 0) {
    move_to(parcel.label.target, known->project);
    shipment.label.target = parcel.label.target;
  }
  return false;
}

void Destination::sign(Request& request, Shipment& shipment) {
  if (!relay_) return;
  shipment.registration = relay_->registration().generation();
  const auto& headers = relay_->signed_headers();
  request.headers.insert(request.headers.end(), headers.begin(), headers.end());
}

// Whether the answer says that the upstream has forgotten us, and nothing about what was sent. Once for each shipment:
// what is refused again is refused for itself, however well others fare in between.
bool Destination::is_doubted(const Shipment& shipment, const Answer& answer) {
  if (!relay_ || !answer.failure.empty()) return false;
  auto& registration = relay_->registration();
  const auto sequence = shipment.label.sequence;
  if (answer.status / 100 == 2) registration.on_accepted();
  if (answer.status != 401 && answer.status != 403) {
    doubted_.erase(sequence);
    return false;
  }
  const bool again = doubted_.erase(sequence) > 0;
  if (again && !says_stop(answer.body)) return false;
  const bool was_registered = registration.registered();
  if (!registration.doubt(shipment.registration, answer.body, Steady::now())) return false;
  doubted_.insert(sequence);
  if (!registration.denied().empty()) {
    on_relay_answered({});
  } else if (was_registered && !registration.registered()) {
    log(Level::info, "upstream", "registers anew as a Relay: a signed request was refused", {{"destination", config_.name}, {"status", answer.status}});
    relay_news_ = true;
  }
  return true;
}

void Destination::note_relay(DestinationStatus& status) const {
  if (!relay_) return;
  status.registered = relay_->registration().registered();
  status.disabled_keys = relay_->configs().disabled();
}

}  // namespace picket::upstream
