#include "api/grouping/parametrise.h"

#include "api/grouping/text_scan.h"

#include <algorithm>
#include <array>

namespace picket::grouping {
namespace {

using namespace scan;

// Domains that hosts in messages end in; more would take file names and methods for hosts.
constexpr std::array<std::string_view, 44> domains = {
    "app", "at",  "au",  "be",  "biz", "br",  "ca",  "ch",  "cn",   "co",  "com",
    "cz",  "de",  "dk",  "edu", "es",  "eu",  "fi",  "fr",  "gov",  "id",  "in",
    "info", "io", "ir",  "it",  "jp",  "kr",  "me",  "mx",  "net",  "news", "nl",
    "no",  "org", "pl",  "ru",  "se",  "tr",  "tv",  "tw",  "ua",   "uk",  "us",
};

bool local_part(char c) {
  return digit(c) || letter(c) || std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string_view::npos;
}

bool host_character(char c) {
  return digit(c) || letter(c) || c == '-';
}

// Matchers give the end of what they match at `at`, 0 when they do not.
class Text {
 public:
  explicit Text(std::string_view text) : text_(text) {}

  // The name of what is at `at`, and where it ends; "" for nothing.
  std::string_view match(std::size_t at, std::size_t& end) {
    const char c = text_[at];
    const bool begins = begins_word(text_, at);
    const auto found = [&](std::size_t to) { return (end = to) != 0; };
    if (local_part(c) && found(email(at))) return "<email>";
    if (begins && found(url(at))) return "<url>";
    if (begins && host_character(c) && found(host(at))) return "<hostname>";
    if ((hex(c) || c == ':') && found(address(at))) return "<ip>";
    if (begins && hex(c)) {
      if (found(trace_parent(at))) return "<traceparent>";
      if (found(uuid(at))) return "<uuid>";
      if (found(hex_of(at, 40))) return "<sha1>";
      if (found(hex_of(at, 32))) return "<md5>";
    }
    if ((digit(c) || letter(c)) && found(date_end(text_, at))) return "<date>";
    if (begins && digit(c) && found(duration(at))) return "<duration>";
    if (begins && hex(c) && found(hexadecimal(at))) return "<hex>";
    if (digit(c) || c == '-') {
      if (found(number(at, true))) return "<float>";
      if (found(number(at, false))) return "<int>";
    }
    if (c == '=' && found(quoted(at))) return "=<quoted_str>";
    if (c == '=' && found(truth(at))) return "=<bool>";
    return {};
  }

 private:
  bool ends(std::size_t at) const { return ends_word(text_, at); }

  std::size_t email(std::size_t at) {
    if (at >= local_end_) local_end_ = at + run_of(text_, at, local_part);
    if (local_end_ >= text_.size() || text_[local_end_] != '@') return 0;
    auto end = local_end_ + 1;
    const auto first = run_of(text_, end, host_character);
    if (first == 0) return 0;
    end += first;
    while (end + 1 < text_.size() && text_[end] == '.' && host_character(text_[end + 1]))
      end += 1 + run_of(text_, end + 1, host_character);
    return end;
  }

  std::size_t url(std::size_t at) const {
    const auto rest = text_.substr(at, 10);
    for (const std::string_view scheme : {"http://", "https://", "ws://", "wss://", "ftp://"}) {
      if (!rest.starts_with(scheme)) continue;
      const auto begin = at + scheme.size();
      const bool named = begin < text_.size() && std::string_view("/$.?#").find(text_[begin]) == std::string_view::npos;
      const auto length = named ? run_of(text_, begin, [](char c) { return !space(c); }) : 0;
      return length > 1 ? begin + length : 0;
    }
    return 0;
  }

  // Labels and dots up to the first known domain. Where labels lead to none, those from a later one on
  // do not either.
  std::size_t host(std::size_t at) {
    constexpr std::size_t longest_label = 63;
    if (at < no_host_before_) return 0;
    for (std::size_t labels = 0;; ++labels) {
      const auto length = run_of(text_, at, host_character);
      const auto end = at + length;
      no_host_before_ = end;
      if (length == 0 || length > longest_label) return 0;
      const auto label = text_.substr(at, length);
      if (labels > 0 && ends(end) && std::ranges::find(domains, label) != domains.end()) return end;
      if (end + 1 >= text_.size() || text_[end] != '.') return 0;
      at = end + 1;
    }
  }

  std::size_t address(std::size_t at) const {
    const bool apart = at == 0 || (!word(text_[at - 1]) && text_[at - 1] != ':');
    if (!apart) return 0;
    const auto v4 = digit(text_[at]) ? dotted(at) : 0;
    return v4 != 0 ? v4 : colons(at);
  }

  std::size_t dotted(std::size_t at) const {
    for (int part = 0; part < 4; ++part) {
      const auto length = run_of(text_, at, digit);
      int value = 0;
      for (const char c : text_.substr(at, std::min<std::size_t>(length, 4)))
        value = value * 10 + (c - '0');
      if (length == 0 || length > 3 || value > 255) return 0;
      at += length;
      if (part < 3 && (at >= text_.size() || text_[at++] != '.')) return 0;
    }
    return ends(at) ? at : 0;
  }

  // IPv6: eight groups, or fewer around one "::"; the last two may be written as IPv4.
  std::size_t colons(std::size_t at) const {
    std::size_t groups = 0;
    bool gap = false;
    std::size_t end = at;
    for (;;) {
      const auto length = run_of(text_, end, hex);
      if (length > 4) return 0;
      if (length > 0) {
        if (groups > 0 && digit(text_[end])) {
          if (const auto v4 = dotted(end); v4 != 0 && (gap || groups == 6)) return v4;
        }
        end += length;
        ++groups;
      }
      if (groups == 8 || end >= text_.size() || text_[end] != ':') break;
      const bool doubled = end + 1 < text_.size() && text_[end + 1] == ':';
      if (doubled && gap) return 0;
      const auto next = end + (doubled ? 2 : 1);
      const bool more = next < text_.size() && hex(text_[next]);
      if (!doubled && (!more || length == 0)) break;
      gap |= doubled;
      end = next;
      if (!more) break;
    }
    if (groups == 0 || (groups < 8 && !gap) || (groups == 8 && gap)) return 0;
    const bool closed = end == text_.size() || (!word(text_[end]) && text_[end] != ':');
    return closed ? end : 0;
  }

  // The end of `lengths` runs of hex digits with dashes in between.
  template <std::size_t N>
  std::size_t dashed(std::size_t at, const std::array<std::size_t, N>& lengths) const {
    for (std::size_t part = 0; part < N; ++part) {
      if (run_of(text_.substr(0, std::min(text_.size(), at + lengths[part])), at, hex) != lengths[part]) return 0;
      at += lengths[part];
      if (part + 1 < N && (at >= text_.size() || text_[at++] != '-')) return 0;
    }
    return ends(at) ? at : 0;
  }
  std::size_t uuid(std::size_t at) const { return dashed<5>(at, {8, 4, 4, 4, 12}); }
  std::size_t trace_parent(std::size_t at) const {
    return text_.substr(at).starts_with("00-") ? dashed<4>(at, {2, 32, 16, 2}) : 0;
  }

  std::size_t hex_of(std::size_t at, std::size_t length) const {
    const auto end = at + length;
    return run_of(text_, at, hex) == length && ends(end) ? end : 0;
  }

  std::size_t duration(std::size_t at) const {
    auto end = at + run_of(text_, at, digit);
    const auto unit = text_.substr(end);
    if (unit.starts_with("ms") && ends(end + 2)) return end + 2;
    if (unit.starts_with('.')) {
      const auto fraction = run_of(text_, end + 1, digit);
      if (fraction > 0) end += 1 + fraction;
    }
    for (const std::string_view name : {"ms", "s"}) {
      if (text_.substr(end).starts_with(name) && ends(end + name.size())) return end + name.size();
    }
    return 0;
  }

  // With "0x", or eight or sixteen digits of which some are letters.
  std::size_t hexadecimal(std::size_t at) const {
    if (text_[at] == '0' && at + 1 < text_.size() && (text_[at + 1] | 0x20) == 'x') {
      const auto end = at + 2 + run_of(text_, at + 2, hex);
      return end > at + 2 && ends(end) ? end : 0;
    }
    const auto length = run_of(text_, at, hex);
    if ((length != 8 && length != 16) || !ends(at + length)) return 0;
    const auto digits = std::ranges::count_if(text_.substr(at, length), digit);
    return digits > 0 && static_cast<std::size_t>(digits) < length ? at + length : 0;
  }

  // A minus belongs to a number wherever it stands; digits without one begin a word.
  std::size_t number(std::size_t at, bool fraction) const {
    const bool minus = text_[at] == '-';
    if (!minus && !begins_word(text_, at)) return 0;
    auto end = at + (minus ? 1 : 0);
    const auto whole = run_of(text_, end, digit);
    if (whole == 0) return 0;
    end += whole;
    if (fraction) {
      if (end >= text_.size() || text_[end] != '.') return 0;
      const auto part = run_of(text_, end + 1, digit);
      if (part == 0) return 0;
      end += 1 + part;
    }
    return ends(end) ? end : 0;
  }

  std::size_t quoted(std::size_t at) {
    if (at + 2 >= text_.size()) return 0;
    const char quote = text_[at + 1];
    if (quote != '\'' && quote != '"') return 0;
    auto& none_after = quote == '"' ? no_double_after_ : no_single_after_;
    if (at >= none_after) return 0;
    const auto close = text_.find(quote, at + 2);
    if (close == std::string_view::npos) none_after = at;
    return close == std::string_view::npos || close == at + 2 ? 0 : close + 1;
  }

  std::size_t truth(std::size_t at) const {
    for (const std::string_view name : {"True", "true", "False", "false"}) {
      if (text_.substr(at + 1).starts_with(name)) return at + 1 + name.size();
    }
    return 0;
  }

  std::string_view text_;
  std::size_t local_end_ = 0;  // of the run that might be an e-mail address's first part
  std::size_t no_host_before_ = 0;
  std::size_t no_double_after_ = std::string_view::npos;  // no quote from here on
  std::size_t no_single_after_ = std::string_view::npos;
};

}  // namespace

std::string parametrised(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  Text matchers(text);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = 0;
    const auto name = matchers.match(at, end);
    if (name.empty()) {
      out += text[at++];
    } else {
      out += name;
      at = end;
    }
  }
  return out;
}

}  // namespace picket::grouping
