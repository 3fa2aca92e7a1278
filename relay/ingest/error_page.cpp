#include "relay/ingest/error_page.h"

#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/replies.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace picket::ingest {
namespace {

constexpr std::array<std::string_view, 13> texts{
    "name",        "email",         "title",       "subtitle",       "subtitle2",
    "labelName",   "labelEmail",    "labelComments", "labelClose",   "labelSubmit",
    "successMessage", "errorGeneric", "errorFormEntry"};

// The dialog. Everything that comes from outside is set as text or as a value.
constexpr std::string_view script = R"js((function (given) {
  'use strict';
  var script = document.currentScript;
  var words = {
    title: "It looks like we're having issues.",
    subtitle: 'Our team has been notified.',
    subtitle2: 'If you like to help, tell us what happened below.',
    labelName: 'Name', labelEmail: 'Email', labelComments: 'What happened?',
    labelClose: 'Close', labelSubmit: 'Send report',
    successMessage: 'Your report has been sent. Thank you!',
    errorGeneric: 'The report could not be sent. Please try again.',
    errorFormEntry: 'Some fields are not filled in. Please correct them and try again.'
  };
  Object.keys(given).forEach(function (key) { words[key] = given[key]; });
  function make(tag, style, text) {
    var node = document.createElement(tag);
    node.style.cssText = style;
    if (text) node.textContent = text;
    return node;
  }
  function field(form, tag, name, label, value) {
    var row = make('label', 'display:block;margin:12px 0;font-weight:bold', label);
    var input = make(tag, 'display:block;box-sizing:border-box;width:100%;margin-top:4px;padding:8px;font:inherit');
    input.name = name;
    input.required = true;
    input.value = value || '';
    if (name === 'email') input.type = 'email';
    if (tag === 'textarea') input.rows = 5;
    row.appendChild(input);
    form.appendChild(row);
    return input;
  }
  var shade = make('div', 'position:fixed;top:0;left:0;right:0;bottom:0;overflow:auto;z-index:2147483647;background:rgba(0,0,0,.5);font:15px sans-serif;color:#222');
  var form = make('form', 'max-width:480px;margin:60px auto;padding:24px;background:#fff;border-radius:6px');
  form.setAttribute('role', 'dialog');
  form.noValidate = true;
  form.appendChild(make('h2', 'margin:0 0 8px', words.title));
  form.appendChild(make('p', 'margin:0', words.subtitle + ' ' + words.subtitle2));
  var name = field(form, 'input', 'name', words.labelName, given.name);
  var email = field(form, 'input', 'email', words.labelEmail, given.email);
  var comments = field(form, 'textarea', 'comments', words.labelComments);
  var note = make('p', 'color:#b00;min-height:1.2em;margin:0 0 12px');
  note.setAttribute('role', 'alert');
  var send = make('button', 'padding:8px 16px;margin-right:8px;font:inherit', words.labelSubmit);
  send.type = 'submit';
  var close = make('button', 'padding:8px 16px;font:inherit', words.labelClose);
  close.type = 'button';
  form.appendChild(note);
  form.appendChild(send);
  form.appendChild(close);
  shade.appendChild(form);
  function leave() {
    if (shade.parentNode) shade.parentNode.removeChild(shade);
    window.removeEventListener('keydown', onKey);
    window.postMessage('__sentry_reportdialog_closed__', '*');
  }
  function onKey(event) { if (event.key === 'Escape') leave(); }
  close.onclick = leave;
  window.addEventListener('keydown', onKey);
  form.onsubmit = function (event) {
    event.preventDefault();
    if (!name.value || !email.value || !comments.value) { note.textContent = words.errorFormEntry; return; }
    var request = new XMLHttpRequest();
    request.open('POST', script.src);
    request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    request.onload = function () {
      if (request.status === 200) {
        form.textContent = words.successMessage + ' ';
        form.appendChild(close);
      } else {
        note.textContent = request.status === 400 ? words.errorFormEntry : words.errorGeneric;
      }
    };
    request.onerror = function () { note.textContent = words.errorGeneric; };
    request.send([name, email, comments].map(function (input) {
      return encodeURIComponent(input.name) + '=' + encodeURIComponent(input.value);
    }).join('&'));
  };
  document.body.appendChild(shade);
  name.focus();
})()js";

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string_view find(const Pairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs) {
    if (key == name) return value;
  }
  return {};
}

// A script may stand within a page's markup one day.
std::string script_text(std::string_view text) {
  std::string safe;
  for (const char c : json_text(text)) {
    if (c == '<' || c == '>' || c == '&') {
      safe += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026";
    } else {
      safe += c;
    }
  }
  // Line ends of JavaScript that JSON lets stand.
  for (const auto& [raw, escaped] : {std::pair{"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"}}) {
    for (auto at = safe.find(raw); at != std::string::npos; at = safe.find(raw, at))
      safe.replace(at, 3, escaped);
  }
  return safe;
}

std::string_view without_space(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

http::Response error_page(const PageContext& context) {
  const auto query = http::parse_query(context.head.query);
  if (!relay::parse_event_id(find(query, "eventId")))
    return error_reply(400, "bad request", "eventId is missing or no id of an event");
  const auto sender = context.gate.check_head(context.head, context.route);
  const auto* known = std::get_if<std::optional<Sender>>(&sender);
  if (known == nullptr || !*known) return error_reply(404, "not found", "dsn is missing or unknown");
  std::string given;
  for (const auto& [key, value] : query) {
    if (std::find(texts.begin(), texts.end(), key) == texts.end() || value.empty()) continue;
    given += given.empty() ? "" : ",";
    given.append(script_text(key)).append(":").append(script_text(value.substr(0, 1'000)));
  }
  return script_reply(200, std::string(script) + "{" + given + "});\n");
}

std::variant<Converted, Refusal> convert_error_page(const Inbound& inbound) {
  const auto query = http::parse_query(inbound.head.query);
  const auto id = relay::parse_event_id(find(query, "eventId"));
  if (!id) {
    return make_refusal(400, "bad request", "eventId is missing or no id of an event",
                        "payload");
  }
  const auto form = http::parse_query(inbound.body);
  std::string report = R"({"event_id":")" + relay::render_event_id(*id) + "\"";
  for (const std::string_view name : {"name", "email", "comments"}) {
    const auto value = without_space(find(form, name));
    if (value.empty()) {
      auto refusal = make_refusal(400, "bad request", std::string(name) + " is required", "no_data");
      refusal.items = {{relay::DataCategory::user_report, 1}};
      return refusal;
    }
    report.append(",\"").append(name).append("\":").append(json_text(value));
  }
  EnvelopeWriter envelope(*id);
  envelope.add("user_report", report + "}", R"(,"content_type":"application/json")");
  Converted converted;
  converted.envelope = envelope.take();
  converted.answer = accepted_reply({});
  return converted;
}

}  // namespace picket::ingest
