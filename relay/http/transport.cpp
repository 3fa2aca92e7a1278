#include "relay/http/transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

namespace picket::http {
namespace {

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

Transfer failed(int error, Direction direction) {
  if (would_block(error)) return {Transfer::State::blocked, 0, direction};
  return {Transfer::State::ended};
}

// OpenSSL's own socket BIO uses write(2), and a peer that has gone would raise SIGPIPE.
int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* bytes, int count) {
  BIO_clear_retry_flags(bio);
  const auto sent = ::send(descriptor_of(bio), bytes, static_cast<std::size_t>(count),
                           MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (would_block(errno) || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* bytes, int count) {
  BIO_clear_retry_flags(bio);
  const auto got = ::recv(descriptor_of(bio), bytes, static_cast<std::size_t>(count), MSG_DONTWAIT);
  if (got < 0 && (would_block(errno) || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* socket_bio() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "picket socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

// A key file that asks for a passphrase would wait for a terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return 0;
}

Error unusable(std::string_view what, const std::string& file) {
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  ERR_clear_error();
  return {Fault::malformed,
          "cannot use " + std::string(what) + " '" + file + "': " + std::string(reason.data())};
}

}  // namespace

Result<TlsContext> TlsContext::load(const std::string& certificate_file,
                                    const std::string& key_file) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Error{Fault::unavailable, "OpenSSL cannot make a TLS context"};
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(raw, certificate_file.c_str()) != 1) {
    return unusable("certificate_file", certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(raw, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return unusable("key_file", key_file);
  }
  if (SSL_CTX_check_private_key(raw) != 1) return unusable("key_file", key_file);
  return TlsContext(std::move(context));
}

void Transport::FreeTls::operator()(ssl_st* tls) const {
  SSL_free(tls);
}

Transport::Transport(int descriptor, const TlsContext& context)
    : descriptor_(descriptor), tls_(SSL_new(context.context_.get())) {
  BIO* const bio = BIO_new(socket_bio());
  // A number in the place of a pointer that nobody follows.
  void* const number = reinterpret_cast<void*>(std::intptr_t{descriptor});  // NOLINT
  BIO_set_data(bio, number);
  BIO_set_init(bio, 1);
  SSL_set_bio(tls_.get(), bio, bio);
  SSL_set_accept_state(tls_.get());
}

Transfer Transport::after_tls(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ: return {Transfer::State::blocked, 0, Direction::read};
    case SSL_ERROR_WANT_WRITE: return {Transfer::State::blocked, 0, Direction::write};
    default: ERR_clear_error(); return {Transfer::State::ended};
  }
}

Transfer Transport::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  return result == 1 ? Transfer{} : after_tls(result);
}

Transfer Transport::read(std::span<char> into) {
  if (tls_) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(tls_.get(), into.data(), into.size(), &got);
    return result == 1 ? Transfer{Transfer::State::moved, got} : after_tls(result);
  }
  ssize_t got = 0;
  do {
    got = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return failed(errno, Direction::read);
  if (got == 0) return {Transfer::State::ended};
  return {Transfer::State::moved, static_cast<std::size_t>(got)};
}

Transfer Transport::write(std::string_view head, std::string_view body) {
  return tls_ ? write_tls(head) : write_plain(head, body);
}

Transfer Transport::write_tls(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ERR_clear_error();
    std::size_t sent = 0;
    const int result = SSL_write_ex(tls_.get(), bytes.data() + done, bytes.size() - done, &sent);
    if (result != 1) {
      const auto stopped = after_tls(result);
      return {stopped.state, done, stopped.direction};
    }
    done += sent;
  }
  return {Transfer::State::moved, done};
}

Transfer Transport::write_plain(std::string_view head, std::string_view body) {
  std::array<iovec, 2> parts{};
  parts[0] = {const_cast<char*>(head.data()), head.size()};
  parts[1] = {const_cast<char*>(body.data()), body.size()};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = body.empty() ? 1 : 2;
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return failed(errno, Direction::write);
  const auto bytes = static_cast<std::size_t>(sent);
  const bool all = bytes == head.size() + body.size();
  return {all ? Transfer::State::moved : Transfer::State::blocked, bytes, Direction::write};
}

bool Transport::pending() const {
  return tls_ && SSL_pending(tls_.get()) > 0;
}

void Transport::shutdown_write() {
  if (tls_) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  ::shutdown(descriptor_, SHUT_WR);
}

}  // namespace picket::http
