#include "api/grouping/text_scan.h"

#include <array>

namespace picket::grouping::scan {
namespace {

constexpr std::array<std::string_view, 12> months = {"january", "february", "march",     "april",   "may",      "june",
                                                     "july",    "august",   "september", "october", "november", "december"};
constexpr std::array<std::string_view, 7> days = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

// Reads on from a place; each step moves it, or fails and leaves it.
class Reader {
 public:
  Reader(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::size_t at() const { return at_; }
  void go_to(std::size_t at) { at_ = at; }

  bool digits(std::size_t least, std::size_t most) {
    const auto length = run_of(text_, at_, digit);
    if (length < least || length > most) return false;
    at_ += length;
    return true;
  }
  bool one_of(std::string_view characters) {
    if (at_ >= text_.size() || characters.find(text_[at_]) == std::string_view::npos) return false;
    ++at_;
    return true;
  }
  bool spaces() {
    const auto length = run_of(text_, at_, space);
    at_ += length;
    return length > 0;
  }
  // A name or its first three letters.
  template <std::size_t N>
  bool name(const std::array<std::string_view, N>& names) {
    const auto length = run_of(text_, at_, letter);
    if (length < 3 || length > 9) return false;
    for (const auto full : names) {
      if (length != 3 && length != full.size()) continue;
      bool same = true;
      for (std::size_t i = 0; i < length; ++i)
        same = same && (text_[at_ + i] | 0x20) == full[i];
      if (!same) continue;
      at_ += length;
      return true;
    }
    return false;
  }
  bool literal(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  bool ended() const { return at_ == text_.size() || !word(text_[at_]); }

  // "15:04", "15:04:05", "15:04:05.000", "3:04 PM"; `seconds`: no less than those.
  bool time_of_day(bool seconds) {
    const auto begin = at_;
    const auto fail = [&] { return at_ = begin, false; };
    if (!digits(1, 2) || !one_of(":") || !digits(2, 2)) return fail();
    const auto minutes = at_;
    const bool exact = one_of(":") && digits(2, 2);
    if (!exact) at_ = minutes;
    if (exact) {
      const auto whole = at_;
      if (!one_of(".,") || !digits(1, 9)) at_ = whole;
    }
    const auto plain = at_;
    const bool half = (one_of(" "), true) && one_of("aApP") && one_of("mM") && ended();
    if (!half) at_ = plain;
    return !seconds || exact || half ? true : fail();
  }

  // "Z", "UTC", "PST", "+01:00", "-0700", with a space before or without.
  void zone() {
    const auto begin = at_;
    one_of(" ");
    if (one_of("+-") && digits(2, 4)) {
      const auto hours = at_;
      if (!one_of(":") || !digits(2, 2)) at_ = hours;
      if (ended()) return;
    } else {
      for (const std::string_view known : {"Z", "UTC", "GMT", "UT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "CET", "CEST", "BST"}) {
        if (literal(known) && ended()) return;
      }
    }
    at_ = begin;
  }

 private:
  std::string_view text_;
  std::size_t at_;
};

// "2006-01-02", "2006/01/02", with or without a time.
std::size_t year_first(Reader reader) {
  if (!reader.digits(4, 4)) return 0;
  if (!reader.one_of("-/") || !reader.digits(2, 2)) return 0;
  if (!reader.one_of("-/") || !reader.digits(2, 2)) return 0;
  const auto date = reader.at();
  if (reader.one_of("T t") && reader.time_of_day(false)) {
    reader.zone();
    return reader.ended() ? reader.at() : date;
  }
  reader.go_to(date);
  return reader.ended() ? date : 0;
}

// "20060102T150405Z"
std::size_t compact(Reader reader) {
  if (!reader.digits(8, 8) || !reader.one_of("T") || !reader.digits(6, 6)) return 0;
  reader.zone();
  return reader.ended() ? reader.at() : 0;
}

// "02/01/2006"
std::size_t year_last(Reader reader) {
  if (!reader.digits(2, 2) || !reader.one_of("/") || !reader.digits(2, 2) || !reader.one_of("/") || !reader.digits(4, 4))
    return 0;
  return reader.ended() ? reader.at() : 0;
}

// "02 Jan 2006 15:04:05 MST", "02-Jan-06 15:04:05 GMT": the day has been looked for before.
std::size_t day_first(Reader reader) {
  if (!reader.digits(1, 2) || !reader.one_of(" -") || !reader.name(months) || !reader.one_of(" -") || !reader.digits(2, 4))
    return 0;
  const auto date = reader.at();
  if (reader.one_of(" ") && reader.time_of_day(false)) {
    reader.zone();
    return reader.ended() ? reader.at() : date;
  }
  reader.go_to(date);
  return reader.ended() ? date : 0;
}

// "Jan 2, 2006", "Jan _2 15:04:05 2006", "Jan 02 15:04:05 -0700 2006", "Jan 2 15:04:05.000".
std::size_t month_first(Reader reader) {
  if (!reader.name(months) || !reader.spaces() || !reader.digits(1, 2)) return 0;
  reader.one_of(",");
  const auto day = reader.at();
  const auto year = [&] {
    const auto before = reader.at();
    if (reader.spaces() && reader.digits(4, 4) && reader.ended()) return true;
    reader.go_to(before);
    return false;
  };
  const auto time = [&] {
    const auto before = reader.at();
    if (reader.spaces() && reader.time_of_day(false)) return reader.zone(), true;
    reader.go_to(before);
    return false;
  };
  const bool dated = year();
  const bool timed = time();
  if (!dated && timed) year();
  return reader.at() > day && reader.ended() ? reader.at() : 0;
}

std::size_t named(Reader reader) {
  const auto begin = reader.at();
  if (reader.name(days)) {
    reader.one_of(",");
    if (!reader.spaces()) return 0;
  } else {
    reader.go_to(begin);
  }
  const auto day = day_first(reader);
  return day != 0 ? day : month_first(reader);
}

std::size_t python(std::string_view text, std::size_t at) {
  constexpr std::size_t longest = 128;
  if (!text.substr(at).starts_with("datetime.datetime(")) return 0;
  const auto close = text.substr(0, at + longest).find(')', at);
  return close == std::string_view::npos ? 0 : close + 1;
}

}  // namespace

std::size_t date_end(std::string_view text, std::size_t at) {
  if (!begins_word(text, at)) return 0;
  const Reader reader(text, at);
  if (letter(text[at])) {
    const auto made = python(text, at);
    return made != 0 ? made : named(reader);
  }
  for (const auto match : {year_first, compact, year_last, day_first}) {
    if (const auto end = match(reader); end != 0) return end;
  }
  Reader time = reader;
  if (!time.time_of_day(true)) return 0;
  time.zone();
  return time.ended() ? time.at() : 0;
}

}  // namespace picket::grouping::scan
