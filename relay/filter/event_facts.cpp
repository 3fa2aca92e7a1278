#include "relay/filter/event_facts.h"

#include "relay/protocol/json_object.h"

#include <deque>
#include <string>
#include <vector>

namespace picket::filter {
namespace {

using relay::JsonIndex;

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
    if (c != b[i]) return false;
  }
  return true;
}

// Values are the tokens at which they begin. Visits get a token and return the one behind its value:
// what they have read anyway is not gone through twice.
class Values {
 public:
  explicit Values(const JsonIndex& index) : index_(index), texts_(texts_of_thread()) {}

  bool is(std::size_t token, char c) const {
    return token < index_.size() && index_.first(token) == c;
  }
  std::size_t after(std::size_t token) const { return index_.after(token); }

  // Without its escapes; nothing changes when the value is no text.
  std::size_t read_text(std::size_t token, std::string_view& into) {
    if (is(token, '"')) into = text(token);
    return after(token);
  }

  // REQUIRES: is(token, '{').
  template <class Visit>  // (key, token of the value) → the token behind the value
  std::size_t each_member(std::size_t token, const Visit& visit) {
    ++token;
    while (is(token, '"') && is(token + 1, ':')) {
      token = visit(text(token), token + 2);
      if (!is(token, ',')) break;
      ++token;
    }
    return is(token, '}') ? token + 1 : index_.size();
  }

  // REQUIRES: is(token, '[').
  template <class Visit>  // (token) → the token behind the element
  std::size_t each_element(std::size_t token, const Visit& visit) {
    ++token;
    if (is(token, ']')) return token + 1;
    while (token < index_.size()) {
      token = visit(token);
      if (!is(token, ',')) break;
      ++token;
    }
    return is(token, ']') ? token + 1 : index_.size();
  }

 private:
  static std::deque<std::string>& texts_of_thread() {
    thread_local std::deque<std::string> texts;
    texts.clear();
    return texts;
  }

  std::string_view text(std::size_t token) {
    const auto content = index_.content(token);
    return index_.may_have_escapes(content) ? texts_.emplace_back(relay::unescape_json(content)) : content;
  }

  const JsonIndex& index_;
  std::deque<std::string>& texts_;  // those that had escapes
};

class Reader {
 public:
  Reader(Values& values, std::uint8_t needs) : values_(values), needs_(needs) {}

  std::size_t read_member(std::string_view key, std::size_t value) {
    constexpr std::string_view legacy = "sentry.interfaces.";
    if (key.starts_with(legacy)) key.remove_prefix(legacy.size());
    if (needs(need_release) && key == "release") return values_.read_text(value, facts_.release);
    if (needs(need_transaction) && key == "transaction")
      return values_.read_text(value, facts_.transaction);
    if (needs(need_errors | need_source) && same_name(key, "exception")) return read_errors(value);
    if (needs(need_errors)) {
      const bool entry = same_name(key, "logentry");
      if (entry || same_name(key, "message")) return read_message(value, entry);
    }
    if (needs(need_request) && (same_name(key, "request") || same_name(key, "http")))
      return read_request(value);
    if (needs(need_user) && same_name(key, "user")) return read_user(value);
    return values_.after(value);
  }

  EventFacts take() { return std::move(facts_); }

 private:
  bool needs(int what) const { return (needs_ & what) != 0; }

  // A log entry says more than a message beside it.
  std::size_t read_message(std::size_t value, bool entry) {
    std::string_view formatted;
    std::string_view message;
    std::size_t after = 0;
    if (values_.is(value, '{')) {
      after = values_.each_member(value, [&](std::string_view key, std::size_t member) {
        if (key == "formatted") return values_.read_text(member, formatted);
        if (key == "message") return values_.read_text(member, message);
        return values_.after(member);
      });
    } else {
      after = values_.read_text(value, message);
    }
    if (formatted.empty()) formatted = message;
    if (!formatted.empty() && (entry || facts_.message.empty())) facts_.message = formatted;
    return after;
  }

  std::size_t read_errors(std::size_t value) {
    if (values_.is(value, '[')) return read_list(value);
    if (!values_.is(value, '{')) return values_.after(value);
    // {"values": […]}, or one exception by itself.
    ErrorFact single;
    bool wrapped = false;
    const auto after = values_.each_member(value, [&](std::string_view key, std::size_t member) {
      if (key != "values" || !values_.is(member, '[')) return read_error_member(key, member, single);
      wrapped = true;
      return read_list(member);
    });
    if (!wrapped && !(single.type.empty() && single.value.empty()))
      facts_.errors.push_back(single);
    return after;
  }

  std::size_t read_list(std::size_t value) {
    bool full = false;
    return values_.each_element(value, [&](std::size_t element) {
      if (full || !values_.is(element, '{')) return values_.after(element);
      ErrorFact error;
      const auto after = values_.each_member(element, [&](std::string_view key, std::size_t member) {
        return read_error_member(key, member, error);
      });
      facts_.errors.push_back(error);
      full = facts_.errors.size() >= EventFacts::most_errors;
      return after;
    });
  }

  std::size_t read_error_member(std::string_view key, std::size_t value, ErrorFact& error) {
    if (key == "type") return values_.read_text(value, error.type);
    if (key == "value") return values_.read_text(value, error.value);
    if (key != "stacktrace" || !needs(need_source) || !values_.is(value, '{'))
      return values_.after(value);
    return values_.each_member(value, [&](std::string_view name, std::size_t frames) {
      if (name != "frames" || !values_.is(frames, '[')) return values_.after(frames);
      return read_frames(frames, error);
    });
  }

  // Frames run from the outermost to the innermost: the last one that says where it is counts, and it
  // is nearly always the last.
  std::size_t read_frames(std::size_t list, ErrorFact& error) {
    frames_.clear();
    const auto after = values_.each_element(list, [this](std::size_t frame) {
      if (values_.is(frame, '{')) frames_.push_back(frame);
      return values_.after(frame);
    });
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      const auto source = source_of(*frame);
      if (source.empty() || source == "<anonymous>") continue;
      error.source = source;
      break;
    }
    return after;
  }

  std::string_view source_of(std::size_t frame) {
    std::string_view path;
    std::string_view file;
    values_.each_member(frame, [&](std::string_view key, std::size_t member) {
      if (key == "abs_path") return values_.read_text(member, path);
      if (key == "filename") return values_.read_text(member, file);
      return values_.after(member);
    });
    return path.empty() ? file : path;
  }

  std::size_t read_request(std::size_t value) {
    if (!values_.is(value, '{')) return values_.after(value);
    return values_.each_member(value, [&](std::string_view key, std::size_t member) {
      if (key == "url") return values_.read_text(member, facts_.url);
      return key == "headers" ? read_headers(member) : values_.after(member);
    });
  }

  // {"User-Agent": "…"} or [["User-Agent", "…"], …].
  std::size_t read_headers(std::size_t value) {
    if (values_.is(value, '{')) {
      return values_.each_member(value, [&](std::string_view key, std::size_t member) {
        std::string_view text;
        const auto after = values_.read_text(member, text);
        keep_header(key, text);
        return after;
      });
    }
    if (!values_.is(value, '[')) return values_.after(value);
    return values_.each_element(value, [&](std::size_t pair) {
      if (!values_.is(pair, '[')) return values_.after(pair);
      std::string_view name;
      int index = 0;
      return values_.each_element(pair, [&](std::size_t part) {
        std::string_view text;
        const auto after = values_.read_text(part, text);
        if (index == 0) name = text;
        if (index == 1) keep_header(name, text);
        ++index;
        return after;
      });
    });
  }

  void keep_header(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    if (same_name(name, "user-agent")) facts_.user_agent = text;
    if (same_name(name, "host")) facts_.host = text;
    if (same_name(name, "x-forwarded-host")) facts_.forwarded_host = text;
  }

  std::size_t read_user(std::size_t value) {
    if (!values_.is(value, '{')) return values_.after(value);
    return values_.each_member(value, [&](std::string_view key, std::size_t member) {
      return key == "ip_address" ? values_.read_text(member, facts_.user_address)
                                 : values_.after(member);
    });
  }

  Values& values_;
  const std::uint8_t needs_;
  EventFacts facts_;
  std::vector<std::size_t> frames_;
};

// Nothing is read of what cannot be an object to its end.
bool is_object(const JsonIndex* index) {
  return index != nullptr && index->size() > 1 && index->first(0) == '{' &&
         index->first(index->size() - 1) == '}';
}

}  // namespace

EventFacts read_event(relay::IndexedJson& payload, std::uint8_t needs) {
  const auto* index = payload.index();
  if (!is_object(index)) return {};
  Values values(*index);
  Reader reader(values, needs);
  values.each_member(0, [&](std::string_view key, std::size_t value) {
    return reader.read_member(key, value);
  });
  return reader.take();
}

CspFacts read_csp(relay::IndexedJson& payload) {
  CspFacts facts;
  const auto* index = payload.index();
  if (!is_object(index)) return facts;
  Values values(*index);
  const auto read_body = [&](std::string_view key, std::size_t member) {
    if (key == "blocked-uri" || key == "blockedURL") return values.read_text(member, facts.blocked);
    if (key == "source-file" || key == "sourceFile") return values.read_text(member, facts.source);
    return values.after(member);
  };
  values.each_member(0, [&](std::string_view key, std::size_t value) {
    const bool body = key == "csp-report" || key == "body" || key == "csp";
    if (body && values.is(value, '{')) return values.each_member(value, read_body);
    // A security item's payload names them flat.
    if (key == "blocked_uri") return values.read_text(value, facts.blocked);
    if (key == "source_file") return values.read_text(value, facts.source);
    return values.after(value);
  });
  return facts;
}

}  // namespace picket::filter
