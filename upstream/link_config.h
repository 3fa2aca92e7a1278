// The keys of [[upstream]] that say when, how fast and how much may be sent.
#pragma once

#include "buffer/result.h"
#include "buffer/settings.h"
#include "buffer/time_zone.h"
#include "upstream/schedule.h"
#include "upstream/send_class.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace picket::upstream {

struct LinkConfig {
  // Bytes of requests a second, heads and handshakes included; 0: no cap. Within 3 % over any ten
  // seconds from 4 kB/s on; below that, by no more than one request's head.
  std::uint64_t max_bytes_per_second = 0;
  // Bytes both ways a day and a month of `time_zone`, as a provider counts them but for the headers of
  // IP and TCP; 0: no cap. They hold over restarts and crashes. Price: a crash may leave a thousandth
  // of it (at most 1 MiB) unused.
  std::uint64_t max_bytes_per_day = 0;
  std::uint64_t max_bytes_per_month = 0;
  // "Europe/Vienna": whose days, months and hours count.
  std::string time_zone = "UTC";
  // "22:00-06:00", "mon-fri 18:30-24:00", "sat,sun": nothing is sent outside; empty: at any time.
  std::vector<std::string> windows;
  // The link is metered while this file is there, looked for every second.
  std::string metered_file;
  // The link is metered from SIGUSR1 to SIGUSR2. Forgotten at a restart.
  bool metered_signal = false;
  // What goes over a metered link: errors, check_ins, sessions, transactions, logs, replays,
  // attachments, other.
  std::vector<std::string> metered_classes = {"errors", "check_ins"};
  // Which goes first when more waits than can be sent at once. Those not named follow, errors first and
  // other last as above; empty: all in the order of arrival. Price of an order: a backlog is read once
  // for each class, and a version from before classes that takes over in the middle of one sends some of
  // it twice.
  std::vector<std::string> priority;
  // Up to so many records waiting leave in the order of arrival all the same.
  std::uint64_t priority_backlog = 4'096;
  // Of these classes the newest goes first, of the others the oldest. Where some are named, a backlog
  // goes by classes though `priority` names none.
  std::vector<std::string> newest_first;
  // How long after its arrival an envelope of a class is worth sending: class → duration. What is older
  // when its turn comes is counted as expired, and stays here.
  std::vector<std::pair<std::string, std::string>> time_to_live;
  // What the upstream refuses for its age, and is not sent to it: "none", or "sentry": sessions and
  // transactions after 5 days, errors after 30. Counted as expired.
  std::string age_limits = "none";
  // Whether the upstream's rate limits are told to SDKs, which then send less; locally it is missed, too.
  bool pass_limits = false;
};

void bind(Settings& settings, LinkConfig& config);
// What is wrong, in words; empty when nothing is.
std::string problem_of(const LinkConfig& config);

}  // namespace picket::upstream
