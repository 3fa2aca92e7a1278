#include "relay/ingest/js_loader.h"

#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/replies.h"
#include "relay/protocol/auth.h"

#include <string>
#include <utility>

namespace picket::ingest {
namespace {

// Until the SDK is there `Sentry` remembers what was asked of it.
constexpr std::string_view script = R"js((function (dsn, source) {
  'use strict';
  var waiting = [], calls = [], asked = false;
  function later(name) {
    return function () { calls.push([name, arguments]); if (name !== 'addBreadcrumb') load(); };
  }
  function onError(event) { calls.push(['captureException', [event.error || event.message]]); load(); }
  function onRejection(event) {
    calls.push(['captureException', ['reason' in event ? event.reason : event]]);
    load();
  }
  function run(task) { try { task(); } catch (error) { console.error(error); } }
  function start() {
    window.removeEventListener('error', onError);
    window.removeEventListener('unhandledrejection', onRejection);
    var sdk = window.Sentry, init = sdk.init, begun = false;
    function begin(options) {
      begun = true;
      var all = { dsn: dsn };
      Object.keys(options || {}).forEach(function (key) { all[key] = options[key]; });
      return init.call(sdk, all);
    }
    try { sdk.init = begin; } catch (error) { /* a frozen module: its own init needs a dsn */ }
    if (typeof window.sentryOnLoad === 'function') run(window.sentryOnLoad);
    waiting.forEach(run);
    if (!begun && !(sdk.getClient && sdk.getClient())) begin({});
    sdk.onLoad = function (task) { run(task); };
    sdk.forceLoad = function () {};
    calls.forEach(function (call) { run(function () { sdk[call[0]].apply(sdk, call[1]); }); });
  }
  function load() {
    if (asked) return;
    asked = true;
    var node = document.createElement('script');
    node.src = source;
    node.crossOrigin = 'anonymous';
    node.onload = start;
    (document.head || document.documentElement).appendChild(node);
  }
  var stub = window.Sentry = {
    onLoad: function (task) { waiting.push(task); load(); },
    forceLoad: load
  };
  ['captureException', 'captureMessage', 'captureEvent', 'addBreadcrumb', 'setUser', 'setTag', 'setTags',
    'setContext', 'setExtra', 'setExtras', 'configureScope', 'withScope', 'showReportDialog'
  ].forEach(function (name) { stub[name] = later(name); });
  stub.init = function (options) { waiting.push(function () { window.Sentry.init(options); }); load(); };
  window.addEventListener('error', onError);
  window.addEventListener('unhandledrejection', onRejection);
  var own = document.currentScript;
  if (!own || own.getAttribute('data-lazy') !== 'yes') {
    if (document.readyState === 'complete') load(); else window.addEventListener('load', load);
  }
})js";

http::Response missing(std::string_view why) {
  return script_reply(404, "/* Picket has no SDK to load here: " + std::string(why) + " */\n");
}

// As the browser called us; "" when it did not say, or nonsense.
std::string own_address(const http::RequestHead& head) {
  const auto host = head.headers.find("Host");
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]_";
  if (host.empty() || host.size() > 255 || host.find_first_not_of(allowed) != std::string_view::npos)
    return {};
  const bool secure = head.tls || head.headers.find("X-Forwarded-Proto") == "https";
  return std::string(secure ? "https://" : "http://") + std::string(host);
}

}  // namespace

http::Response js_loader(const PageContext& context) {
  auto name = context.route.name;
  if (!name.ends_with(".js")) return missing("the address ends with a public key and .js.");
  name.remove_suffix(3);
  if (name.ends_with(".min")) name.remove_suffix(4);
  const auto key = relay::parse_auth_key(name);
  const auto sender = key ? context.gate.find_sender(*key) : std::nullopt;
  if (!sender) return missing("no project has this public key, or it is disabled.");
  const auto own = own_address(context.head);
  if (own.empty()) return missing("the request names no host.");
  const auto& url = context.config.js_sdk_url;
  if (url.empty() && context.bundle.empty()) {
    return missing("set js_sdk_file or js_sdk_url in the section [ingest] of its configuration to a "
                   "bundle of @sentry/browser.");
  }
  const auto scheme_end = own.find("://") + 3;
  const auto dsn = own.substr(0, scheme_end) + sender->key.hex + "@" + own.substr(scheme_end) + "/" +
                   std::to_string(sender->project);
  const auto source = url.empty() ? own + "/js-sdk-bundle/bundle.js" : url;
  auto response = script_reply(
      200, std::string(script) + ")(" + json_text(dsn) + ", " + json_text(source) + ");\n");
  response.headers.set("Cache-Control", "public, max-age=300");
  return response;
}

http::Response js_bundle(const PageContext& context) {
  if (context.bundle.empty()) return missing("js_sdk_file is not set in the section [ingest].");
  auto response = script_reply(200, std::string(context.bundle));
  response.headers.set("Cache-Control", "public, max-age=3600");
  return response;
}

}  // namespace picket::ingest
