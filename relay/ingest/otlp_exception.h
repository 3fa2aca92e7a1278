// An exception that OpenTelemetry recorded, as an event of Sentry: what makes an issue.
// https://opentelemetry.io/docs/specs/semconv/exceptions/
#pragma once

#include "relay/ingest/otlp.h"
#include "relay/protocol/envelope.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::ingest::otlp {

// Does this list say that there was one?
bool is_exception(const Attributes& attributes);

struct ExceptionPlace {
  std::uint64_t time_ns = 0;
  std::string_view trace_id = {};
  std::string_view span_id = {};
  std::string_view parent_span_id = {};
  std::string_view transaction = {};  // the span's name
  std::string_view level = "error";
  std::string_view logger = {};  // the scope's name
};

// An envelope of one event. The id follows from the content: an exporter that sends again makes no
// second event.
std::string render_exception(const Attributes& resource,
                             const Attributes& exception,
                             const ExceptionPlace& place);

}  // namespace picket::ingest::otlp
