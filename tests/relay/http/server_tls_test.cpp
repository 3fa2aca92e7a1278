// The server behind TLS, with a certificate made for the test and OpenSSL as the client.
#include "relay/http/server_fixture.h"
#include "support/certificate.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace picket::http {
namespace {

using testing::write_certificate;
using testing::write_key;

class ServerTls : public ::testing::Test {
 protected:
  ServerTls() : options(loopback_options()) {
    options.certificate_file = folder / "cert.pem";
    options.key_file = folder / "key.pem";
    const auto key = write_key(options.key_file);
    write_certificate(options.certificate_file, key.get());
  }
  testing::TempDir folder;
  ServerOptions options;
};

class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int highest_version = TLS1_3_VERSION)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_security_level(context_.get(),
                               0);  // so that old versions are refused by the server
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), highest_version);
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), socket_.descriptor());
    secured_ = SSL_connect(tls_.get()) == 1;
  }
  bool secured() const { return secured_; }

  void send(std::string_view bytes) {
    SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  // Everything until the server ends, or `enough` bytes.
  std::string read(std::size_t enough = std::string::npos) {
    std::string text;
    std::vector<char> piece(std::size_t{64} * 1024);
    while (text.size() < enough) {
      const int got = SSL_read(tls_.get(), piece.data(), static_cast<int>(piece.size()));
      if (got <= 0) break;
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  HttpClient socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  std::unique_ptr<SSL, Free> tls_;
  bool secured_ = false;
};

std::string closing_request(std::string_view target, std::string_view body) {
  return render_http_request("POST", target, body, {{"Connection", "close"}});
}

TEST_F(ServerTls, ServesTls12And13) {
  const auto server = start_server(options, echo_service());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server->port(), version);
    ASSERT_TRUE(client.secured());
    client.send(closing_request("/tls", "secret"));
    const auto text = client.read();
    EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(text.ends_with("\r\n\r\nPOST /tls\nsecret"));
  }
}

TEST_F(ServerTls, RefusesOlderVersions) {
  const auto server = start_server(options, echo_service());
  EXPECT_FALSE(TlsClient(server->port(), TLS1_1_VERSION).secured());
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
}

TEST_F(ServerTls, KeepsPipelinedRequestsThatCameInOneRecord) {
  const auto server = start_server(options, echo_service());
  TlsClient client(server->port());
  std::string burst;
  for (int i = 0; i < 40; ++i)
    burst += render_http_request("POST", "/" + std::to_string(i), "b");
  client.send(burst + closing_request("/last", "b"));
  const auto text = client.read();
  std::size_t at = 0;
  for (int i = 0; i < 40; ++i) {
    at = text.find("POST /" + std::to_string(i) + "\nb", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_NE(text.find("POST /last\nb", at), std::string::npos);
}

TEST_F(ServerTls, AnswersFromAnotherThreadWithMoreAlreadyReceived) {
  const Service service{
      admit_all, [](Request request, Responder responder) {
        std::thread([request = std::move(request), responder = std::move(responder)]() mutable {
          std::this_thread::sleep_for(2ms);
          std::move(responder).respond(echo(request));
        }).detach();
      }};
  const auto server = start_server(options, service);
  TlsClient client(server->port());
  std::string burst;
  for (int i = 0; i < 20; ++i)
    burst += render_http_request("POST", "/", std::string(3000, 'x'));
  client.send(burst + closing_request("/last", "b"));
  EXPECT_NE(client.read().find("POST /last\nb"), std::string::npos);
}

TEST_F(ServerTls, MovesBodiesOfManyMegabytes) {
  const auto server = start_server(options, echo_service(std::size_t{64} << 20));
  TlsClient client(server->port());
  const std::string body(10 << 20, 'x');
  client.send(closing_request("/big", body));
  const auto text = client.read();
  EXPECT_TRUE(text.ends_with("POST /big\n" + body));
}

TEST_F(ServerTls, SendsFilesOfManyMegabytes) {
  std::string large(10 << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 % 253);
  // As a file's: bytes that somebody else owns.
  const auto owner = std::make_shared<const std::string>(large);
  auto service = echo_service();
  service.handle = [&owner](const Request&, Responder responder) {
    Response response;
    response.file = buffer::Bytes(owner, *owner);
    std::move(responder).respond(std::move(response));
  };
  const auto server = start_server(options, service);
  TlsClient client(server->port());
  client.send(closing_request("/file", ""));
  const auto text = client.read();
  EXPECT_TRUE(text.ends_with("\r\n\r\n" + large));
}

TEST_F(ServerTls, AStalledHandshakeIsCut) {
  options.header_timeout = 150ms;
  const auto server = start_server(options, echo_service());
  HttpClient silent(server->port());
  EXPECT_TRUE(silent.closed_within(patience));
  EXPECT_EQ(server->counters().timeouts, 1U);
}

TEST_F(ServerTls, PlainHttpIsTurnedAway) {
  const auto server = start_server(options, echo_service());
  HttpClient plain(server->port());
  plain.send(render_http_request("GET", "/"));
  EXPECT_TRUE(plain.closed_within(patience));
}

TEST_F(ServerTls, StopsWithConnectionsOpen) {
  auto server = start_server(options, echo_service());
  TlsClient idle(server->port());
  ASSERT_TRUE(idle.secured());
  HttpClient shaking(server->port());
  ASSERT_TRUE(eventually([&] { return server->counters().connections_open == 2; }));
  const auto begun = std::chrono::steady_clock::now();
  server->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  EXPECT_EQ(idle.read(), "");
}

TEST_F(ServerTls, NamesTheFileThatItCannotUse) {
  auto missing = options;
  missing.certificate_file = folder / "absent.pem";
  const auto without = Server::start(missing, echo_service());
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().detail.find("absent.pem"), std::string::npos);

  auto garbage = options;
  garbage.key_file = folder / "garbage.pem";
  std::ofstream(garbage.key_file) << "not a key";
  const auto unreadable = Server::start(garbage, echo_service());
  ASSERT_FALSE(unreadable);
  EXPECT_NE(unreadable.error().detail.find("garbage.pem"), std::string::npos);

  auto other = options;
  other.key_file = folder / "other.pem";
  write_key(other.key_file);
  const auto mismatched = Server::start(other, echo_service());
  ASSERT_FALSE(mismatched);
  EXPECT_NE(mismatched.error().detail.find("other.pem"), std::string::npos);

  auto half = options;
  half.key_file.clear();
  EXPECT_FALSE(Server::start(half, echo_service()));
}

}  // namespace
}  // namespace picket::http
