// What conditions read of an item and of the envelope around it.
//
//   event.…   span.…   log.…   trace_metric.…     the payload (or one entry of a container)
//   trace.…                                       the envelope header's dynamic sampling context
//
// Names are paths into the JSON with Sentry's shorthands: event.exceptions is exception.values, `ty`
// an exception's type, event.tags.<key> works for both ways of writing tags, event.duration is
// computed (ms), attributes are read through to their value.
//
// THREADS  One at a time per thread: the parsed documents are kept in buffers of the thread.
#pragma once

#include "relay/filter/condition.h"

#include <memory>
#include <string_view>

namespace picket::filter {

class JsonFields final : public Fields {
 public:
  // `space` is the first word of names that mean the payload. Parsed on first use.
  // REQUIRES: both texts outlive it; no other JsonFields of the thread is used meanwhile.
  JsonFields(std::string_view space, std::string_view payload, std::string_view trace);
  ~JsonFields() override;
  JsonFields(const JsonFields&) = delete;
  JsonFields& operator=(const JsonFields&) = delete;

  Scalar value(std::string_view name) const override;
  bool each(std::string_view name, const Visit& visit) const override;

 private:
  struct Documents;
  std::string_view space_;
  std::unique_ptr<Documents> documents_;
};

}  // namespace picket::filter
