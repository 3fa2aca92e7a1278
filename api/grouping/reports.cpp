// Browsers' reports of violated policies.
#include "api/grouping/strategies.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace picket::grouping {
namespace {

constexpr std::string_view self = "'self'";

// The host of an address of a page, else the scheme; "'self'" for the document itself.
std::string blocked_by(std::string_view uri) {
  if (uri.empty() || uri == "self" || uri == self) return std::string(self);
  const auto colon = uri.find(':');
  const auto scheme = uri.substr(0, colon);
  const bool has_host = colon != std::string_view::npos && uri.substr(colon).starts_with("://");
  std::string_view host = has_host ? uri.substr(colon + 3) : std::string_view();
  host = host.substr(0, host.find_first_of("/?#"));
  if (scheme == "http" || scheme == "https") return std::string(host);
  if (colon == std::string_view::npos) return std::string(scheme) + ':';
  return std::string(scheme) + (host.empty() ? ":" : "://") + std::string(host);
}

// A page's own inline script or eval() was stopped.
std::string_view local_violation(const Report& report, std::string_view blocked) {
  if (!report.directive.starts_with("script-src") || blocked != self) return {};
  for (const std::string_view what : {"'unsafe-inline'", "'unsafe-eval'"}) {
    if (report.violated.find(what) != std::string_view::npos) return what;
  }
  return {};
}

Component* salt(Arena& arena, std::string_view text) {
  auto* component = arena.leaf(Part::salt, text);
  component->hint = {Reason::static_salt, 0, {}};
  return component;
}

Component* csp_component(Arena& arena, const Report& report) {
  const auto blocked = arena.keep(blocked_by(report.blocked));
  const auto violation = local_violation(report, blocked);
  auto* component = arena.component(Part::csp);
  component->add(salt(arena, report.directive));
  auto* local = violation.empty() ? arena.component(Part::violation) : arena.leaf(Part::violation, violation);
  auto* uri = arena.leaf(Part::uri, blocked);
  if (violation.empty()) {
    local->hint = {Reason::no_local_violation, 0, {}};
  } else {
    uri->exclude({Reason::violation_first, 0, {}});
  }
  component->add(local);
  component->add(uri);
  return component;
}

Component* host_component(Arena& arena, Part part, const Report& report) {
  auto* component = arena.component(part);
  component->add(salt(arena, wire_name(part)));
  component->add(arena.leaf(Part::hostname, report.hostname));
  return component;
}

}  // namespace

Variants report_variants(Workshop& shop) {
  const auto& report = shop.evidence.report;
  Variants variants;
  switch (report.kind) {
    case ReportKind::none: break;
    case ReportKind::csp: variants.default_ = csp_component(shop.arena, report); break;
    case ReportKind::hpkp: variants.default_ = host_component(shop.arena, Part::hpkp, report); break;
    case ReportKind::expect_ct: variants.default_ = host_component(shop.arena, Part::expect_ct, report); break;
    case ReportKind::expect_staple: variants.default_ = host_component(shop.arena, Part::expect_staple, report); break;
  }
  return variants;
}

}  // namespace picket::grouping
