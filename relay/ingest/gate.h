// The gate: which sender a request belongs to, or why it may not pass.
//
// The key comes in a header or the query; only an envelope that has neither may name it in its own
// header's dsn (tunnels). A dsn beside another key must agree with it.
#pragma once

#include "relay/http/message.h"
#include "relay/ingest/project_directory.h"
#include "relay/ingest/refusal.h"
#include "relay/ingest/route.h"

#include <optional>
#include <string_view>
#include <variant>

namespace picket::ingest {

class Gate {
 public:
  explicit Gate(const ProjectDirectory& directory) : directory_(directory) {}

  // Nothing when the head names no key at all.
  std::variant<std::optional<Sender>, Refusal> check_head(const http::RequestHead& head,
                                                          const Route& route) const;

  // Whose key this is; nothing when it is unknown, or its project or itself disabled.
  std::optional<Sender> find_sender(const relay::ProjectKey& key) const;

  // `sender` is what check_head() gave, `dsn` the envelope's, "" when it has none.
  std::variant<Sender, Refusal> check_dsn(std::optional<Sender> sender,
                                          std::string_view dsn,
                                          const Route& route) const;

  // For a sender that only the envelope named; check_head() has done it for the others.
  static std::optional<Refusal> check_origin(const Sender& sender, const http::RequestHead& head);

 private:
  std::variant<Sender, Refusal> check_key(const relay::ProjectKey& key,
                                          const std::optional<relay::ProjectId>& claimed) const;

  const ProjectDirectory& directory_;
};

Refusal missing_key();

}  // namespace picket::ingest
