#include "relay/scrub/redaction.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

namespace picket::scrub {
namespace {

std::string hmac_sha1(std::string_view key, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), bytes, text.size(), digest.data(),
           &length) == nullptr)
    return std::string(40, '*');
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    hex += digits[digest[i] >> 4U];
    hex += digits[digest[i] & 15U];
  }
  return hex;
}

bool key_matches(const Rule& rule, std::string_view key) {
  switch (rule.kind) {
    case Rule::Kind::password: return is_password_key(key) || has_token(key);
    case Rule::Kind::key_words: return rule.words->groups_in(key) != 0;
    case Rule::Kind::key_pattern: return rule.pattern->matches(key);
    case Rule::Kind::anything: return true;
    case Rule::Kind::detector:
    case Rule::Kind::pattern: return false;
  }
  std::abort();
}

}  // namespace

char remark_type(const Redaction& redaction) {
  switch (redaction.method) {
    case Redaction::Method::standard:
    case Redaction::Method::remove: return 'x';
    case Redaction::Method::replace: return 's';
    case Redaction::Method::mask: return 'm';
    case Redaction::Method::hash: return 'p';
  }
  std::abort();
}

std::string redact(const Redaction& redaction, std::string_view text) {
  switch (redaction.method) {
    case Redaction::Method::standard:
    case Redaction::Method::remove: return {};
    case Redaction::Method::replace: return redaction.text;
    case Redaction::Method::mask: return std::string(characters_of(text), '*');
    case Redaction::Method::hash: return hmac_sha1(redaction.hash_key, text);
  }
  std::abort();
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

bool removes_value(const Rule& rule, std::string_view key) {
  return key_matches(rule, key);
}

Redacted::Redacted(std::string_view text, const std::vector<Remark>& earlier) {
  const auto splits = [text](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
  };
  std::size_t at = 0;
  for (const auto& remark : earlier) {
    if (!remark.range || remark.range->begin < at || remark.range->end < remark.range->begin ||
        remark.range->end > text.size() || splits(remark.range->begin) || splits(remark.range->end))
      continue;
    if (remark.range->begin > at)
      pieces_.push_back({std::string(text.substr(at, remark.range->begin - at)), {}, '\0'});
    pieces_.push_back(
        {std::string(text.substr(remark.range->begin, remark.range->end - remark.range->begin)),
         remark.rule, remark.type});
    at = remark.range->end;
  }
  if (at < text.size()) pieces_.push_back({std::string(text.substr(at)), {}, '\0'});
}

Redacted::Redacted(const Remark& removal) {
  pieces_.push_back({{}, removal.rule, removal.type});
}

Redacted::Piece Redacted::replacement(const Rule& rule, std::string_view text) {
  return {redact(rule.redaction, text), rule.origin, remark_type(rule.redaction)};
}

Effect Redacted::replace_whole(const Rule& rule) {
  if (std::none_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return piece.sent(); }))
    return Effect::none;
  auto whole = replacement(rule, text());
  pieces_.clear();
  pieces_.push_back(std::move(whole));
  return Effect::changed;
}

template <class Find>
Effect Redacted::replace_spans(const Rule& rule, Find find) {
  std::vector<Piece> pieces;
  auto effect = Effect::none;
  for (auto& piece : pieces_) {
    const auto spans = piece.sent() ? find(std::string_view(piece.text)) : std::vector<Span>();
    if (spans.empty()) {
      pieces.push_back(std::move(piece));
      continue;
    }
    effect = Effect::changed;
    const std::string_view text = piece.text;
    std::size_t at = 0;
    for (const auto& span : spans) {
      if (span.begin > at)
        pieces.push_back({std::string(text.substr(at, span.begin - at)), {}, '\0'});
      pieces.push_back(replacement(rule, text.substr(span.begin, span.end - span.begin)));
      at = span.end;
    }
    if (at < text.size()) pieces.push_back({std::string(text.substr(at)), {}, '\0'});
  }
  pieces_ = std::move(pieces);
  return effect;
}

Effect Redacted::apply(const Rule& rule, std::string_view key) {
  const auto find_detected = [](Detector detector) {
    return [detector](std::string_view text) { return find_all(detector, text); };
  };
  switch (rule.kind) {
    case Rule::Kind::anything:
      return rule.redaction.removes() ? Effect::removed : replace_whole(rule);
    case Rule::Kind::detector: return replace_spans(rule, find_detected(rule.detector));
    case Rule::Kind::pattern:
      return replace_spans(rule, [&rule](std::string_view text) {
        return rule.pattern->find_all(text, rule.groups);
      });
    case Rule::Kind::password:
    case Rule::Kind::key_words:
    case Rule::Kind::key_pattern: break;
  }

  auto effect = Effect::none;
  if (rule.kind == Rule::Kind::password)
    effect = replace_spans(rule, find_detected(Detector::bearer));
  bool whole = key_matches(rule, key);
  if (whole && rule.redaction.removes()) return Effect::removed;
  if (!whole) {
    whole = std::any_of(pieces_.begin(), pieces_.end(), [&rule](const Piece& piece) {
      if (!piece.sent()) return false;
      if (rule.kind == Rule::Kind::password) return has_password_word(piece.text);
      return key_matches(rule, piece.text);
    });
  }
  return whole && replace_whole(rule) == Effect::changed ? Effect::changed : effect;
}

std::string Redacted::text() const {
  std::string text;
  for (const auto& piece : pieces_)
    text += piece.text;
  return text;
}

std::vector<Remark> Redacted::remarks() const {
  std::vector<Remark> remarks;
  std::size_t at = 0;
  for (const auto& piece : pieces_) {
    if (!piece.sent())
      remarks.push_back({piece.rule, piece.type, Span{at, at + piece.text.size()}});
    at += piece.text.size();
  }
  return remarks;
}

}  // namespace picket::scrub
