#include "api/digest/grouping.h"

namespace picket::digest {
namespace {

grouping::Report report_of(const Event& event) {
  using grouping::ReportKind;
  grouping::Report report;
  if (!event.csp_directive.empty() || event.type == EventType::csp) {
    report.kind = ReportKind::csp;
  } else if (event.report_host.empty()) {
    return report;
  } else if (event.type == EventType::expect_ct) {
    report.kind = ReportKind::expect_ct;
  } else if (event.type == EventType::expect_staple) {
    report.kind = ReportKind::expect_staple;
  } else {
    report.kind = ReportKind::hpkp;
  }
  report.directive = event.csp_directive;
  report.violated = event.csp_violated;
  report.blocked = event.csp_blocked;
  report.document = event.csp_document;
  report.hostname = event.report_host;
  return report;
}

}  // namespace

grouping::Evidence evidence_of(const Event& event) {
  grouping::Evidence evidence;
  evidence.platform = event.platform;
  evidence.exceptions = event.exceptions;
  const auto& thread = event.thread;
  evidence.threads = {thread.count, thread.chosen, thread.has_stacktrace,
                      thread.is_shown ? event.stacktrace : thread.frames};
  evidence.has_stacktrace = event.has_stacktrace;
  if (event.has_stacktrace) evidence.stacktrace = event.stacktrace;
  evidence.error_template = event.error_template;
  evidence.report = report_of(event);
  evidence.message = event.message;
  evidence.formatted = event.formatted;
  evidence.fingerprint = event.fingerprint;
  evidence.transaction = event.transaction;
  evidence.logger = event.logger;
  evidence.level = wire_name(event.level_or_default());
  evidence.release = event.release;
  evidence.sdk = event.sdk_name;
  evidence.tags = event.tags;
  return evidence;
}

grouping::Grouping group_event(const Event& event, const grouping::Config& config) {
  return grouping::group(evidence_of(event), config, grouping::Detail::hashes);
}

std::vector<GroupingHash> hashes_of(const Event& event, const grouping::Config& config) {
  return group_event(event, config).hashes;
}

}  // namespace picket::digest
