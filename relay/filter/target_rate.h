// Sampling as Sentry's API is asked for it: one number instead of rules.
//
//   organization   samplingMode "organization" (the default): targetSampleRate holds for all projects
//                  samplingMode "project": each project's own targetSampleRate
//   project        dynamicSamplingBiases [{"id", "active"}]: what is kept more, or less, than the rate says
//
// What is left of a rate becomes rules of sampling.h, with Sentry's numbers:
//
//   1005  boostReplayId        a trace with a replay is kept
//   1001  boostEnvironments    so is one of an environment for developing and testing
//   1002  ignoreHealthChecks   of health checks a fifth of the rate
//   1000                       everything else at the rate
#pragma once

#include "relay/filter/sampling.h"

#include <array>
#include <string>
#include <string_view>

namespace picket::filter {

struct TargetRate {
  double rate = 1;
  bool boost_replays = true;
  bool boost_environments = true;
  bool ignore_health_checks = true;

  // By Sentry's name; nothing for a bias that is not known here.
  bool* bias(std::string_view id);
  friend bool operator==(const TargetRate&, const TargetRate&) = default;
};

constexpr std::array<std::string_view, 3> bias_ids{"boostEnvironments", "boostReplayId", "ignoreHealthChecks"};

// Of the settings as the API keeps them; what is wrong keeps its default.
TargetRate read_target_rate(std::string_view project_json, std::string_view organization_json);

// None at a rate of 1.
Sampling make_sampling(const TargetRate& target);

}  // namespace picket::filter
