#include "relay/scrub/rule.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace picket::scrub {
namespace {

// Groups of the word sets below.
constexpr std::uint32_t group_password = 1;
constexpr std::uint32_t group_token = 2;
constexpr std::uint32_t group_bearer = 4;
constexpr std::uint32_t group_homes = 8;
constexpr std::uint32_t group_pem = 16;

std::vector<WordSet::Word> password_words() {
  std::vector<WordSet::Word> words;
  for (const char* const word :
       {"password", "passwd", "mysql_pwd", "secret", "credentials", "auth", "apikey", "api_key",
        "api-key", "privatekey", "private_key", "private-key"})
    words.push_back({word, group_password});
  words.push_back({"token", group_token});
  return words;
}

const WordSet& key_words() {
  static const WordSet words(password_words());
  return words;
}

const WordSet& text_words() {
  static const WordSet words = [] {
    auto all = password_words();
    all.push_back({"bearer", group_bearer});
    for (const char* const folder : {"home", "users", "documents and settings", "profiles"})
      all.push_back({folder, group_homes});
    all.push_back({"-----begin", group_pem});
    return WordSet(std::move(all));
  }();
  return words;
}

// Keys that are the whole of a word, not only hold it.
bool is_whole_word(std::string_view text) {
  switch (text.size()) {
    case 3: return same_folded(text, "otp");
    case 10: return same_folded(text, "two_factor") || same_folded(text, "two-factor");
    default: return false;
  }
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// "token", and before the next blank a colon or an equals sign.
bool has_assigned_token(std::string_view text) {
  constexpr std::string_view word = "token";
  for (std::size_t at = 0; at + word.size() < text.size(); ++at) {
    if (!same_folded(text.substr(at, word.size()), word)) continue;
    for (at += word.size(); at < text.size() && !is_space(text[at]); ++at) {
      if (text[at] == ':' || text[at] == '=') return true;
    }
  }
  return false;
}

constexpr auto detectors =
    std::to_array<Detector>({Detector::imei, Detector::mac, Detector::uuid, Detector::email,
                             Detector::ip, Detector::creditcard, Detector::iban, Detector::url_auth,
                             Detector::url_password, Detector::us_ssn});

}  // namespace

Signs Rule::find_signs() const {
  switch (kind) {
    case Kind::anything:
    case Kind::pattern:
    case Kind::key_pattern: return sign_anything;
    case Kind::detector: return sign_of(detector);
    case Kind::password: return sign_password | sign_token | sign_of(Detector::bearer);
    case Kind::key_words: return sign_sensitive;
  }
  std::abort();
}

bool is_password_key(std::string_view key) {
  return (key_words().groups_in(key) & group_password) != 0 || is_whole_word(key);
}

bool has_token(std::string_view key) {
  return (key_words().groups_in(key) & group_token) != 0;
}

bool has_password_word(std::string_view text) {
  const auto groups = key_words().groups_in(text);
  return (groups & group_password) != 0 || is_whole_word(text) ||
         ((groups & group_token) != 0 && has_assigned_token(text));
}

RuleSet::RuleSet(std::vector<Application> applications, std::shared_ptr<const WordSet> sensitive)
    : applications_(std::move(applications)), sensitive_(std::move(sensitive)) {
  for (auto& application : applications_) {
    for (auto& rule : application.rules) {
      rule.signs = rule.find_signs();
      application.signs |= rule.signs;
    }
    const bool names = application.selector.may_match_maybe();
    wanted_ |= application.signs;
    const auto keys = application.selector.last_keys();
    if (!keys) {
      unkeyed_ |= application.signs;
      if (names) unkeyed_maybe_ |= application.signs;
      continue;
    }
    application.keyed = true;
    for (const auto& key : *keys) {
      keys_.insert(key);
      slots_.set(slot_of(key));
    }
  }
  std::copy_if(detectors.begin(), detectors.end(), std::back_inserter(sought_),
               [this](Detector detector) { return (wanted_ & sign_of(detector)) != 0; });
  // Of those that find something in texts without '@', only these do so without two digits.
  const bool without_digits = std::any_of(sought_.begin(), sought_.end(), [](Detector detector) {
    return detector == Detector::mac || detector == Detector::uuid || detector == Detector::ip;
  });
  least_digits_ = without_digits ? 0 : 2;
}

std::string RuleSet::folded(std::string_view key) {
  std::string folded(key);
  std::transform(folded.begin(), folded.end(), folded.begin(), fold);
  return folded;
}

Signs RuleSet::signs_of_key(std::string_view key) const {
  Signs signs = sign_anything;
  if ((wanted_ & sign_password) != 0) {
    const auto groups = key_words().groups_in(key);
    if ((groups & group_password) != 0 || is_whole_word(key)) signs |= sign_password;
    if ((groups & group_token) != 0) signs |= sign_token;
  }
  if (sensitive_ && sensitive_->groups_in(key) != 0) signs |= sign_sensitive;
  return signs;
}

Signs RuleSet::signs_of_text(std::string_view text) const {
  constexpr std::size_t shortest = 3;
  Signs signs = sign_anything;
  if (sensitive_ && sensitive_->groups_in(text) != 0) signs |= sign_sensitive;
  if (text.size() < shortest) return signs;
  const auto groups = text_words().groups_in(text);
  if (groups != 0) {
    if ((groups & group_password) != 0) signs |= sign_password;
    if ((groups & group_token) != 0 && has_assigned_token(text)) signs |= sign_password;
    if ((groups & group_bearer) != 0) signs |= sign_of(Detector::bearer);
    if ((groups & group_homes) != 0) signs |= sign_of(Detector::userpath);
    if ((groups & group_pem) != 0) signs |= sign_of(Detector::pemkey);
  }
  if (is_whole_word(text)) signs |= sign_password;
  if (text.size() < 5) return signs;
  const auto traits = traits_of(text);
  if (traits.digits < least_digits_ && !traits.at) return signs;
  for (const auto detector : sought_) {
    if (!may_find(detector, traits)) continue;
    // A date or an id passes the test for some; looking is cheaper than what would follow.
    if (!find_all(detector, text).empty()) signs |= sign_of(detector);
  }
  return signs;
}

}  // namespace picket::scrub
