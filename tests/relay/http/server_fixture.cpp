#include "relay/http/server_fixture.h"

#include <gtest/gtest.h>

namespace picket::http {

std::unique_ptr<Server> start_server(const ServerOptions& options, Service service) {
  auto server = Server::start(options, std::move(service));
  EXPECT_TRUE(server) << (server ? std::string() : server.error().detail);
  return server ? *std::move(server) : nullptr;
}

}  // namespace picket::http
