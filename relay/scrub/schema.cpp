#include "relay/scrub/schema.h"

#include "relay/scrub/schema_parts.h"

#include <algorithm>

namespace picket::scrub {

std::size_t Node::slot_of(std::string_view name) {
  if (name.empty()) return 0;
  return (name.size() * 7 + static_cast<unsigned char>(name.front()) * 3 +
          static_cast<unsigned char>(name.back())) %
         64;
}

void Node::index() {
  next_.assign(fields.size(), 0);
  slots_.fill(0);
  for (std::size_t i = fields.size(); i > 0; --i) {
    auto& slot = slots_[slot_of(fields[i - 1].name)];
    next_[i - 1] = slot;
    slot = static_cast<std::uint8_t>(i);
  }
}

const Field& Node::field(std::string_view name) const {
  for (std::size_t i = slots_[slot_of(name)]; i > 0; i = next_[i - 1]) {
    if (fields[i - 1].name == name) return fields[i - 1];
  }
  return rest;
}

const Schema& Schema::get() {
  static const Schema schema;
  return schema;
}

Schema::Schema() {
  make_values();
  make_traces();
  make_contexts();
  make_stack();
  make_event();
  make_others();
  for (auto* node :
       {&geo_,      &user_,       &sdk_,         &request_,   &logentry_,      &breadcrumb_,
        &frame_,    &stacktrace_, &mechanism_,   &exception_, &thread_,        &template_,
        &image_,    &debug_meta_, &span_data_,   &span_tags_, &span_,          &contexts_,
        &response_, &trace_,      &device_,      &feedback_,  &named_context_, &event_,
        &replay_,   &log_,        &span_v2_,     &span_link_, &trace_metric_,  &session_attrs_,
        &session_,  &check_in_,   &user_report_, &profile_,   &security_,      &event_error_,  &trace_attachment_,
        &view_element_, &view_hierarchy_})
    node->index();
}

void Schema::make_values() {
  any_.shape = Shape::any;
  message_.types = ValueType::message;
  path_.shape = Shape::path;
  pairs_.shape = Shape::pairs;
  query_.shape = Shape::query;
  cookies_.shape = Shape::cookies;
  url_.shape = Shape::url;
  body_.shape = Shape::body;
  attributes_.shape = Shape::attributes;

  record(geo_);
  touch(geo_, Pii::yes, any_, {"country_code", "city", "subdivision", "region"});

  record(user_, ValueType::user);
  leave(user_, {"segment", "sentry_user"});
  touch(user_, Pii::no, geo_, {"geo"});
  user_.rest = {{}, &any_, Pii::yes, {}};

  record(sdk_, ValueType::sdk);
  touch(sdk_, Pii::yes, any_, {"client_ip"});
  leave(sdk_, {"name", "version", "integrations", "features", "packages", "settings"});
  sdk_.rest = {{}, &any_, Pii::maybe, {}};

  record(request_, ValueType::request);
  touch(request_, Pii::maybe, url_, {"url"});
  leave(request_, {"method", "protocol", "body_size", "inferred_content_type", "api_target"});
  touch(request_, Pii::yes, body_, {"data"});
  touch(request_, Pii::yes, query_, {"query_string"});
  touch(request_, Pii::yes, cookies_, {"cookies"});
  touch(request_, Pii::yes, pairs_, {"headers"});
  request_.rest = {{}, &any_, Pii::yes, {}};

  logentry_.shape = Shape::logentry;
  logentry_.types = ValueType::logentry;
  leave(logentry_, {"message"});
  touch(logentry_, Pii::yes, message_, {"formatted"});
  logentry_.rest = {{}, &any_, Pii::yes, {}};

  record(breadcrumb_, ValueType::breadcrumb);
  touch(breadcrumb_, Pii::yes, any_, {"message", "data"});
  breadcrumbs_.shape = Shape::values;
  breadcrumbs_.element = &breadcrumb_;
}

void Schema::make_traces() {
  record(span_data_);
  touch(span_data_, Pii::maybe, any_,
        {"code.filepath", "code.lineno", "code.function", "code.namespace"});
  leave(span_data_, {"app_start_type",
                     "browser.name",
                     "db.operation",
                     "db.system",
                     "sentry.environment",
                     "environment",
                     "sentry.release",
                     "release",
                     "http.decoded_response_content_length",
                     "http.request_method",
                     "http.method",
                     "method",
                     "http.response_content_length",
                     "http.response_transfer_size",
                     "resource.render_blocking_status",
                     "server.address",
                     "cache.hit",
                     "cache.item_size",
                     "http.response.status_code",
                     "status_code",
                     "ai.completion_tokens.used",
                     "ai.prompt_tokens.used",
                     "ai.total_tokens.used",
                     "gen_ai.usage.input_tokens",
                     "gen_ai.usage.output_tokens",
                     "gen_ai.usage.total_tokens",
                     "gen_ai.usage.input_tokens.cached",
                     "gen_ai.usage.output_tokens.reasoning",
                     "gen_ai.response.tokens_per_second",
                     "gen_ai.request.max_tokens",
                     "thread.name",
                     "thread.id",
                     "sentry.segment.name",
                     "transaction",
                     "ui.component_name",
                     "url.scheme",
                     "sentry.replay.id",
                     "replay_id",
                     "sentry.sdk.name",
                     "sentry.sdk.version",
                     "frames.delay",
                     "sentry.op",
                     "sentry.origin",
                     "sentry.source",
                     "sentry.sample_rate"});
  span_data_.rest = {{}, &any_, Pii::yes, {}};

  record(span_tags_);
  touch(span_tags_, Pii::yes, any_, {"user.ip"});
  touch(span_tags_, Pii::maybe, any_, {"user", "user.id", "user.email", "user.username"});

  record(span_, ValueType::span);
  leave(span_, {"timestamp",  "start_timestamp", "exclusive_time",   "op",
                "span_id",    "parent_span_id",  "trace_id",         "segment_id",
                "is_segment", "status",          "origin",           "profile_id",
                "received",   "measurements",    "platform",         "was_transaction",
                "kind",       "links",           "_metrics_summary", "same_process_as_parent",
                "hash",       "event_id"});
  touch(span_, Pii::maybe, any_, {"description", "tags"});
  touch(span_, Pii::yes, span_data_, {"data"});
  touch(span_, Pii::no, span_tags_, {"sentry_tags"});
  span_.rest = {{}, &any_, Pii::maybe, {}};
  list(spans_, span_);

  record(span_link_);
  touch(span_link_, Pii::maybe, attributes_, {"attributes"});
  list(span_links_, span_link_);
  record(span_v2_, ValueType::span);
  leave(span_v2_, {"trace_id", "parent_span_id", "span_id", "name", "status", "is_segment",
                   "start_timestamp", "end_timestamp", "kind"});
  touch(span_v2_, Pii::no, span_links_, {"links"});
  touch(span_v2_, Pii::yes, attributes_, {"attributes"});
  span_v2_.rest = {{}, &any_, Pii::maybe, {}};

  record(log_, ValueType::log);
  leave(log_, {"timestamp", "trace_id", "span_id", "level", "severity_number"});
  touch(log_, Pii::maybe, any_, {"body"});
  touch(log_, Pii::maybe, attributes_, {"attributes"});
  log_.rest = {{}, &any_, Pii::maybe, {}};

  record(trace_metric_, ValueType::trace_metric);
  leave(trace_metric_, {"timestamp", "trace_id", "span_id", "name", "type", "unit", "value"});
  touch(trace_metric_, Pii::maybe, attributes_, {"attributes"});
  trace_metric_.rest = {{}, &any_, Pii::maybe, {}};

  record(trace_attachment_);
  leave(trace_attachment_, {"attachment_id", "timestamp", "trace_id", "span_id", "content_type"});
  touch(trace_attachment_, Pii::maybe, any_, {"filename"});
  touch(trace_attachment_, Pii::maybe, attributes_, {"attributes"});
  trace_attachment_.rest = {{}, &any_, Pii::maybe, {}};
}

void Schema::make_contexts() {
  record(response_);
  leave(response_, {"type", "status_code", "body_size", "inferred_content_type"});
  touch(response_, Pii::yes, cookies_, {"cookies"});
  touch(response_, Pii::yes, pairs_, {"headers"});
  touch(response_, Pii::yes, body_, {"data"});
  response_.rest = {{}, &any_, Pii::maybe, {}};

  record(trace_);
  leave(trace_, {"type", "trace_id", "span_id", "parent_span_id", "op", "status", "exclusive_time",
                 "client_sample_rate", "origin", "sampled"});
  touch(trace_, Pii::maybe, span_data_, {"data"});
  trace_.rest = {{}, &any_, Pii::maybe, {}};

  record(device_);
  leave(device_, {"type", "family", "model", "model_id", "arch", "battery_level", "orientation",
                  "manufacturer", "brand", "online", "charging", "low_memory", "simulator",
                  "processor_count", "processor_frequency"});
  touch(device_, Pii::yes, any_, {"device_unique_identifier"});
  device_.rest = {{}, &any_, Pii::maybe, {}};

  record(feedback_);  // what a user wrote to be read, and the address to answer to
  record(named_context_);
  leave(named_context_, {"type"});
  named_context_.rest = {{}, &any_, Pii::maybe, {}};

  // The record of a context by its type; the field's own kind says how the rest is touched.
  record(contexts_);
  touch(contexts_, Pii::no, response_, {"response"});
  touch(contexts_, Pii::no, trace_, {"trace"});
  touch(contexts_, Pii::no, device_, {"device"});
  touch(contexts_, Pii::no, feedback_, {"feedback"});
  touch(contexts_, Pii::no, named_context_,
        {"os", "runtime", "app", "browser", "gpu", "profile", "replay", "flags", "memory_info",
         "reprocessing", "otel", "cloud_resource", "culture", "performance_score", "spring",
         "threadpool_info", "ota_updates", "chromium_stability_report", "unity"});
  contexts_.rest = {{}, &any_, Pii::yes, {}};
  contexts_field_.shape = Shape::contexts;
}

void Schema::make_stack() {
  record(frame_, ValueType::frame);
  touch(frame_, Pii::maybe, any_, {"module"});
  touch(frame_, Pii::maybe, path_, {"filename", "abs_path"});
  touch(frame_, Pii::yes, any_, {"vars"});
  list(frames_, frame_);
  record(stacktrace_, ValueType::stacktrace);
  touch(stacktrace_, Pii::no, frames_, {"frames"});

  record(mechanism_);
  leave(mechanism_, {"type", "synthetic", "handled", "source", "is_exception_group", "exception_id",
                     "parent_id", "meta"});
  touch(mechanism_, Pii::yes, any_, {"description", "data"});
  mechanism_.rest = {{}, &any_, Pii::maybe, {}};

  record(exception_, ValueType::exception);
  touch(exception_, Pii::yes, any_, {"value"});
  touch(exception_, Pii::no, mechanism_, {"mechanism"});
  named(exception_, "stacktrace", {"sentry.interfaces.Stacktrace"}, stacktrace_);
  touch(exception_, Pii::no, stacktrace_, {"raw_stacktrace"});
  exceptions_.shape = Shape::values;
  exceptions_.element = &exception_;

  record(thread_, ValueType::thread);
  touch(thread_, Pii::no, stacktrace_, {"stacktrace", "raw_stacktrace"});
  threads_.shape = Shape::values;
  threads_.element = &thread_;

  record(template_);
  touch(template_, Pii::maybe, path_, {"filename", "abs_path"});

  record(image_);
  touch(image_, Pii::maybe, path_, {"code_file", "debug_file", "name"});
  list(images_, image_);
  record(debug_meta_);
  touch(debug_meta_, Pii::no, images_, {"images"});
}

void Schema::make_event() {
  record(event_error_);
  leave(event_error_, {"type", "name", "value"});
  event_error_.rest = {{}, &any_, Pii::maybe, {}};
  list(event_errors_, event_error_);

  record(event_, ValueType::event);
  leave(event_, {"event_id",
                 "level",
                 "version",
                 "type",
                 "fingerprint",
                 "transaction",
                 "transaction_info",
                 "time_spent",
                 "logger",
                 "modules",
                 "platform",
                 "timestamp",
                 "start_timestamp",
                 "received",
                 "release",
                 "dist",
                 "environment",
                 "site",
                 "ingest_path",
                 "key_id",
                 "project",
                 "grouping_config",
                 "checksum",
                 "measurements",
                 "breakdowns",
                 "scraping_attempts",
                 "_metrics",
                 "_dsc",
                 "_metrics_summary",
                 "_performance_issues_spans",
                 "_meta"});
  touch(event_, Pii::maybe, any_, {"culprit"});
  touch(
      event_, Pii::yes, any_,
      {"server_name", "extra", "csp", "hpkp", "expectct", "expectstaple", "sentry.interfaces.Csp"});
  touch(event_, Pii::maybe, pairs_, {"tags"});
  named(event_, "logentry", {"sentry.interfaces.Message", "message"}, logentry_);
  named(event_, "user", {"sentry.interfaces.User"}, user_, Pii::maybe);
  named(event_, "request", {"sentry.interfaces.Http"}, request_, Pii::maybe);
  named(event_, "contexts", {"sentry.interfaces.Contexts"}, contexts_field_);
  named(event_, "breadcrumbs", {"sentry.interfaces.Breadcrumbs"}, breadcrumbs_);
  named(event_, "exception", {"sentry.interfaces.Exception"}, exceptions_);
  named(event_, "stacktrace", {"sentry.interfaces.Stacktrace"}, stacktrace_);
  named(event_, "template", {"sentry.interfaces.Template"}, template_);
  touch(event_, Pii::no, threads_, {"threads"});
  touch(event_, Pii::no, debug_meta_, {"debug_meta"});
  touch(event_, Pii::no, sdk_, {"sdk"});
  touch(event_, Pii::no, event_errors_, {"errors"});
  touch(event_, Pii::no, spans_, {"spans"});
  event_.rest = {{}, &any_, Pii::yes, {}};
}

void Schema::make_others() {
  record(replay_, ValueType::replay);
  leave(replay_, {"event_id", "replay_id", "replay_type", "segment_id", "timestamp",
                  "replay_start_timestamp", "error_ids", "trace_ids", "platform", "release", "dist",
                  "environment", "type", "_meta", "error_sample_rate", "session_sample_rate"});
  touch(replay_, Pii::yes, any_, {"urls"});
  touch(replay_, Pii::yes, pairs_, {"tags"});
  touch(replay_, Pii::maybe, user_, {"user"});
  touch(replay_, Pii::maybe, request_, {"request"});
  touch(replay_, Pii::no, contexts_field_, {"contexts"});
  touch(replay_, Pii::no, sdk_, {"sdk"});
  replay_.rest = {{}, &any_, Pii::yes, {}};

  record(session_attrs_);
  touch(session_attrs_, Pii::yes, any_, {"ip_address"});
  touch(session_attrs_, Pii::maybe, any_, {"user_agent"});
  record(session_);
  touch(session_, Pii::maybe, any_, {"did"});
  touch(session_, Pii::no, session_attrs_, {"attrs"});

  record(check_in_);
  touch(check_in_, Pii::no, contexts_field_, {"contexts"});

  record(view_element_);
  leave(view_element_, {"type", "alpha", "width", "height", "x", "y", "z", "depth", "visible", "visibility"});
  touch(view_element_, Pii::maybe, any_, {"identifier", "name", "tag"});
  touch(view_element_, Pii::no, view_elements_, {"children"});
  view_element_.rest = {{}, &any_, Pii::yes, {}};
  list(view_elements_, view_element_);
  record(view_hierarchy_);
  leave(view_hierarchy_, {"rendering_system"});
  touch(view_hierarchy_, Pii::no, view_elements_, {"windows"});
  view_hierarchy_.rest = {{}, &any_, Pii::yes, {}};

  record(user_report_);
  touch(user_report_, Pii::maybe, any_, {"name", "email", "comments"});

  record(profile_);
  touch(profile_, Pii::no, debug_meta_, {"debug_meta"});
  touch(profile_, Pii::no, device_, {"device"});
  touch(profile_, Pii::maybe, any_,
        {"tags", "transaction_tags", "transaction_metadata", "os", "runtime", "client_sdk"});

  record(security_);
  touch(security_, Pii::yes, any_,
        {"csp-report", "body", "url", "user_agent", "expect-ct-report", "expect-staple-report"});
  security_.rest = {{}, &any_, Pii::yes, {}};
}

const Node* Schema::root_of(std::string_view item_type) const {
  struct Root {
    std::string_view type;
    const Node Schema::*node;
  };
  constexpr auto roots = std::to_array<Root>({{"event", &Schema::event_},
                                              {"transaction", &Schema::event_},
                                              {"feedback", &Schema::event_},
                                              {"span", &Schema::span_},
                                              {"otel_span", &Schema::any_},
                                              {"log", &Schema::log_},
                                              {"otel_log", &Schema::any_},
                                              {"trace_metric", &Schema::trace_metric_},
                                              {"trace_attachment", &Schema::trace_attachment_},  // its metadata
                                              {"view_hierarchy", &Schema::view_hierarchy_},  // an attachment
                                              {"session", &Schema::session_},
                                              {"sessions", &Schema::session_},
                                              {"check_in", &Schema::check_in_},
                                              {"user_report", &Schema::user_report_},
                                              {"replay_event", &Schema::replay_},
                                              {"profile", &Schema::profile_},
                                              {"profile_chunk", &Schema::profile_},
                                              {"raw_security", &Schema::security_},
                                              {"security", &Schema::security_},
                                              {"nel", &Schema::security_}});
  for (const auto& root : roots) {
    if (root.type == item_type) return &(this->*root.node);
  }
  return nullptr;
}

const Node* Schema::container_of(std::string_view item_type) const {
  if (item_type == "span") return &span_v2_;
  if (item_type == "log") return &log_;
  if (item_type == "trace_metric") return &trace_metric_;
  return nullptr;
}

Pii attribute_pii(std::string_view name) {
  for (const std::string_view known : {"sentry.description", "sentry.message.template"}) {
    if (name == known) return Pii::yes;
  }
  if (name.starts_with("sentry.message.parameter.")) return Pii::yes;
  // What tells how something ran, not what it ran with; counts of tokens are no tokens.
  for (const std::string_view prefix :
       {"sentry.", "gen_ai.usage.", "gen_ai.cost.", "telemetry.", "http.response.status_code",
        "http.request.method", "network.protocol.", "score.", "browser.", "device.class"}) {
    if (name.starts_with(prefix)) return Pii::no;
  }
  for (const std::string_view suffix :
       {"_tokens", "_tokens.used", "_tokens.cached", "_tokens.reasoning"}) {
    if (name.ends_with(suffix)) return Pii::no;
  }
  for (const std::string_view prefix :
       {"code.",         "db.system",      "db.operation", "db.name",    "db.namespace",
        "db.collection", "http.route",     "url.domain",   "url.scheme", "url.template",
        "server.",       "thread.",        "service.",     "process.",   "os.",
        "runtime.",      "exception.type", "error.type",   "messaging.", "rpc.",
        "faas.",         "cloud.",         "host.",        "k8s.",       "container."}) {
    if (name.starts_with(prefix)) return Pii::maybe;
  }
  return Pii::yes;
}

}  // namespace picket::scrub
