#include "relay/scrub/recording.h"

#include "relay/protocol/content_pieces.h"
#include "relay/protocol/json_index.h"
#include "relay/protocol/recording.h"
#include "relay/scrub/recording_schema.h"
#include "relay/scrub/scrubber.h"
#include "relay/scrub/walk.h"

#include <algorithm>
#include <utility>

namespace picket::scrub {
namespace {

constexpr int deflate_level = 6;  // the SDKs' own
constexpr std::size_t kept_index_bytes = std::size_t{1} << 20;

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// A body's text, piece by piece.
class Text {
 public:
  explicit Text(const relay::Recording& recording) {
    if (recording.coding == relay::Coding::identity) {
      plain_ = recording.body;
    } else {
      inflater_.emplace(recording.body, recording.coding);
    }
  }

  // "" at the end.
  Result<std::string_view> next() {
    if (inflater_) return inflater_->next();
    return std::exchange(plain_, {});
  }

 private:
  std::string_view plain_;
  std::optional<relay::PieceInflater> inflater_;
};

// Cuts one JSON array into its elements, which are kept until they end, and what is between them.
class ArrayCutter {
 public:
  enum class Part : std::uint8_t { none, between, element };

  // The next part of what was fed: bytes between elements as they come, an element once it is whole
  // (element()). none: more is needed. REQUIRES: `piece` is cut by this call.
  Part cut(std::string_view& piece, std::string_view& between) {
    if (piece.empty()) return Part::none;
    if (!inside_) {
      const auto end = std::find_if(piece.begin(), piece.end(), [this](char c) { return starts_element(c); });
      between = piece.substr(0, static_cast<std::size_t>(end - piece.begin()));
      piece.remove_prefix(between.size());
      if (!between.empty()) return Part::between;
      element_.clear();
      inside_ = true;
    }
    const auto end = end_of_element(piece);
    element_ += piece.substr(0, end);
    const bool whole = end < piece.size();
    piece.remove_prefix(end);
    if (!whole) return Part::none;
    inside_ = false;
    after_element_ = true;
    return Part::element;
  }

  const std::string& element() const { return element_; }
  bool is_wrong() const { return wrong_; }
  bool is_complete() const { return closed_ && !inside_ && !wrong_; }

 private:
  // Of a byte that is not within an element. What cannot stand there is taken for one, and is wrong.
  bool starts_element(char c) {
    if (is_blank(c)) return false;
    const bool open = opened_ && !closed_;
    if (c == '[' && !opened_) {
      opened_ = true;
    } else if (c == ']' && open && !after_comma_) {
      closed_ = true;
    } else if (c == ',' && open && after_element_) {
      after_element_ = false;
      after_comma_ = true;
    } else {
      wrong_ = !open || after_element_ || c == ',' || c == ']' || c == '}';
      after_comma_ = false;
      return true;
    }
    return false;
  }

  // Where the element ends: at a comma or bracket that is none of its own.
  std::size_t end_of_element(std::string_view piece) {
    for (std::size_t at = 0; at < piece.size(); ++at) {
      const char c = piece[at];
      if (in_string_) {
        if (escaped_) {
          escaped_ = false;
        } else if (c == '\\') {
          escaped_ = true;
        } else if (c == '"') {
          in_string_ = false;
        }
        continue;
      }
      switch (c) {
        case '"': in_string_ = true; break;
        case '{':
        case '[': ++depth_; break;
        case '}':
        case ']':
          if (depth_ == 0) return at;
          --depth_;
          break;
        case ',':
          if (depth_ == 0) return at;
          break;
        default: break;
      }
    }
    return piece.size();
  }

  std::string element_;
  bool opened_ = false;
  bool closed_ = false;
  bool wrong_ = false;
  bool inside_ = false;
  bool after_element_ = false;
  bool after_comma_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
  std::size_t depth_ = 0;
};

// Where the changed recording goes.
class Output {
 public:
  explicit Output(const relay::Recording& recording) : item_(recording.header) {
    item_.reserve(recording.header.size() + recording.body.size());
    if (recording.coding != relay::Coding::identity) deflater_.emplace(recording.coding, deflate_level);
  }
  void add(std::string_view text) {
    if (deflater_) {
      deflater_->add(text, item_);
    } else {
      item_ += text;
    }
  }
  std::string finish() && {
    if (deflater_) deflater_->end(item_);
    return std::move(item_);
  }

 private:
  std::string item_;
  std::optional<relay::PieceDeflater> deflater_;
};

// Nothing: the event stays as it is.
std::optional<std::string> scrub_event(const RuleSet& rules, std::string_view event) {
  thread_local relay::JsonIndex kept;
  thread_local relay::JsonIndex kept_inner;
  std::optional<relay::JsonIndex> large_inner;
  relay::IndexedJson indexed(event, kept);
  if (indexed.index() == nullptr || indexed.index()->size() == 0) return std::nullopt;
  auto* const inner = event.size() > kept_index_bytes ? &large_inner.emplace() : &kept_inner;
  Walk walk(rules, event, *indexed.index(), inner);
  walk.walk_bare(0, recorded_event());
  if (walk.edits().empty()) return std::nullopt;
  return render_edits(event, walk.edits());
}

class Reading {
 public:
  Reading(const RuleSet& rules, const relay::Recording& recording, std::size_t most_bytes)
      : rules_(rules), text_(recording), most_bytes_(most_bytes) {}

  // Whether anything matches. Ends at the first thing that does.
  bool finds_something() {
    bool found = false;
    run([](std::string_view) {},
        [&](std::string_view event) {
          found = scrub_event(rules_, event).has_value();
          return !found;
        });
    return found;
  }

  // True: all of it was written.
  bool rewrite(Output& output) {
    const bool whole = run([&](std::string_view between) { output.add(between); },
                           [&](std::string_view event) {
                             if (!relay::is_json(event)) return false;
                             const auto changed = scrub_event(rules_, event);
                             output.add(changed ? std::string_view(*changed) : event);
                             return true;
                           });
    return whole && cutter_.is_complete();
  }

  std::size_t bytes() const { return bytes_; }

 private:
  template <class Between, class Event>  // Event: whether to go on
  bool run(Between on_between, Event on_event) {
    for (;;) {
      auto piece = text_.next();
      if (!piece) return false;
      if (piece->empty()) return true;
      bytes_ += piece->size();
      if (bytes_ > most_bytes_) return false;
      for (;;) {
        std::string_view between;
        const auto part = cutter_.cut(*piece, between);
        if (cutter_.is_wrong() || cutter_.element().size() > max_json_bytes) return false;
        if (part == ArrayCutter::Part::none) break;
        if (part == ArrayCutter::Part::between) {
          on_between(between);
        } else if (!on_event(cutter_.element())) {
          return false;
        }
      }
    }
  }

  const RuleSet& rules_;
  Text text_;
  const std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  ArrayCutter cutter_;
};

std::size_t text_bytes(std::string_view recording, std::size_t most) {
  const auto parts = relay::split_recording(recording);
  if (!parts) return 0;
  Text text(*parts);
  std::size_t bytes = 0;
  while (bytes < most) {
    const auto piece = text.next();
    if (!piece || piece->empty()) break;
    bytes += piece->size();
  }
  return std::min(bytes, most);
}

}  // namespace

std::optional<std::string> scrub_recording(const RuleSet& rules, std::string_view item, std::size_t& bytes_left) {
  const auto recording = relay::split_recording(item);
  if (!recording) return std::nullopt;
  Reading first(rules, *recording, bytes_left);
  const bool found = first.finds_something();
  const auto most = bytes_left;
  bytes_left -= std::min(bytes_left, first.bytes());
  if (!found) return std::nullopt;
  Output output(*recording);
  Reading second(rules, *recording, most);
  const bool whole = second.rewrite(output);
  bytes_left = most - std::min(most, second.bytes());
  if (!whole) return std::nullopt;
  return std::move(output).finish();
}

std::size_t recording_bytes(const relay::Item& item, std::size_t most) {
  if (item.type == "replay_recording") return text_bytes(item.payload, most);
  if (item.type != "replay_video") return 0;
  std::size_t bytes = 0;
  relay::rewrite_replay_video(item.payload, [&](std::string_view key, std::string_view part) {
    if (key == "replay_recording") bytes += text_bytes(part, most - bytes);
    return std::optional<std::string>();
  });
  return bytes;
}

}  // namespace picket::scrub
