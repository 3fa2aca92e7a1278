// The first organization, team, user, project, key and token: what somebody needs before the first
// event can be sent and read.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"
#include "buffer/tables.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace picket::rest {

struct SetupOptions {
  std::filesystem::path storage;  // the token goes to <storage>/token, mode 0600
  std::string public_url = {};    // of the DSN that is told
};

struct Setup {
  std::string organization;  // slugs
  std::string project;
  std::uint64_t project_id = 0;
  std::string public_key;
  std::string dsn;
  std::string token;     // as it stands in the file
  bool created = false;  // anything at all
};

// Makes what is missing and nothing else: with all there, this only reads. A token is made when the
// file is missing or its token is no longer valid; the clear text is in the file only.
Result<Setup> ensure_first(buffer::Tables& tables, const SetupOptions& options, Time now);

}  // namespace picket::rest
