// What the rules of scrubbing are made of: selectors, patterns, detectors and lists of words. The first line
// is a selector or a pattern, the rest a place (one step a line: "#3" an index, else a key) and a text.

#include "fuzz/invariant.h"
#include "relay/scrub/detectors.h"
#include "relay/scrub/pattern.h"
#include "relay/scrub/pii_config.h"
#include "relay/scrub/selector.h"
#include "relay/scrub/word_set.h"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

namespace picket::scrub {

using fuzz::check;

namespace {

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

// A way from the root; of what kind each value is follows from its name.
std::deque<Place> places_of(std::string_view text) {
  constexpr std::size_t deepest = 40;
  std::deque<Place> places(1);
  places.back().types = ValueType::event;
  while (!text.empty() && places.size() < deepest) {
    const auto line = take_line(text);
    Place place;
    place.parent = &places.back();
    place.depth = places.back().depth + 1;
    if (line.starts_with('#')) {
      place.index = static_cast<std::uint32_t>(line.size());
    } else {
      place.key = line;
    }
    place.types = Types(static_cast<ValueType>(line.size() % 26)) | ValueType::string;
    place.pii = static_cast<Pii>(line.size() % 3);
    places.push_back(place);
  }
  return places;
}

void check_selector(std::string_view text, const Place& place) {
  const auto selector = Selector::parse(text);
  if (!selector) {
    check(!selector.error().detail.empty(), "an error has words");
    return;
  }
  const bool matches = selector->matches(place);
  if (place.pii == Pii::no) check(!matches, "what may not be touched is not matched");
  if (place.pii == Pii::maybe && !selector->may_match_maybe()) check(!matches, "nothing is matched that was ruled out");
  if (place.pii != Pii::no) {
    check(Selector::none_of(*selector).matches(place) != matches, "not is the opposite");
    check(Selector::all_of({*selector, *selector}).matches(place) == matches, "twice is once");
    check(Selector::any_of({*selector, *selector}).matches(place) == matches, "either is one");
  }
  const auto keys = selector->last_keys();
  if (!matches || !keys) return;
  const auto is_key = [&](const std::string& key) { return same_folded(key, place.key); };
  check(std::ranges::any_of(*keys, is_key), "a value that is matched has one of the last keys");
}

void check_spans(const std::vector<Span>& spans, std::string_view text) {
  std::size_t end = 0;
  for (const auto& span : spans) {
    check(span.begin >= end && span.begin < span.end && span.end <= text.size(), "spans are in order, and within the text");
    end = span.end;
  }
}

void check_pattern(std::string_view expression, std::string_view text) {
  for (const auto kind : {Pattern::Text::utf8, Pattern::Text::bytes}) {
    const auto pattern = Pattern::compile(expression, text.size() % 2 == 1, kind);
    if (!pattern) {
      check(!pattern.error().detail.empty(), "an error has words");
      continue;
    }
    const auto spans = pattern->find_all(text, {0, 1, 7});
    check_spans(spans, text);
    check(spans.empty() || pattern->matches(text), "what is found is matched");
  }
}

void check_detectors(std::string_view text) {
  const auto traits = traits_of(text);
  for (int number = 0; number <= static_cast<int>(Detector::bearer); ++number) {
    const auto detector = static_cast<Detector>(number);
    const auto spans = find_all(detector, text);
    check_spans(spans, text);
    check(spans.empty() || may_find(detector, traits), "what was ruled out is not found");
  }
}

void check_words(std::string_view word, std::string_view text) {
  if (word.empty() || word.size() > 200) return;
  const WordSet words({{std::string(word), 1}, {"password", 2}, {"ab", 4}});
  const auto lower = [](std::string_view any) {
    std::string out(any);
    std::ranges::transform(out, out.begin(), fold);
    return out;
  };
  const auto whole = lower(text);
  const auto groups = words.groups_in(text);
  const auto found = [&](std::string_view each) { return whole.find(lower(each)) != std::string::npos; };
  check(((groups & 1U) != 0) == found(word), "a word is found when it is there");
  check(((groups & 2U) != 0) == found("password"), "and so are the others");
  check(((groups & 4U) != 0) == found("ab"), "short ones, too");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto text = fuzz::as_text(bytes, size);
  const auto line = take_line(text);
  const auto places = places_of(text);
  for (const auto& place : places) check_selector(line, place);
  check_pattern(line, text);
  check_detectors(text);
  check_words(line, text);
  if (const auto rules = parse_pii_config(text); !rules) check(!rules.error().detail.empty(), "an error has words");
  return 0;
}

}  // namespace picket::scrub
