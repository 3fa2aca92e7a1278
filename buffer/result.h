// Result<T>: how expected failure travels through Picket.
//
// "Expected" means: a client sent something wrong, a disk filled up, an upstream went away. A bug of
// our own is not expected; it terminates. A wrong configuration throws before the first socket opens.
//
// The reading half (bool, *, ->, error()) is std::expected's, so that a C++23 compiler can replace
// this file with an alias. Reading the value of a failure, or the error of a success, terminates.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace picket {

// What went wrong, in terms of what can be done about it:
// outward 400, 413, 404, 503, 500; inward drop, drop, ignore, retry, quarantine.
enum class Fault {
  malformed,    // the bytes do not parse; the sender must not retry
  too_large,    // parses, but exceeds a configured limit
  not_found,    // the named thing does not exist
  unavailable,  // try again later: disk full, upstream down, queue full
  corrupt,      // our own stored bytes fail their checks
};

struct Error {
  Fault fault = Fault::unavailable;
  std::string detail;  // for people; no code may parse it
};

template <class T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: `return value;` and `return Error{...};` are how functions end.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  explicit operator bool() const noexcept { return state_.index() == 0; }

  T& operator*() & noexcept { return std::get<0>(state_); }
  const T& operator*() const& noexcept { return std::get<0>(state_); }
  T&& operator*() && noexcept { return std::get<0>(std::move(state_)); }
  T* operator->() noexcept { return &std::get<0>(state_); }
  const T* operator->() const noexcept { return &std::get<0>(state_); }

  const Error& error() const noexcept { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : state_(std::move(error)) {}  // NOLINT

  explicit operator bool() const noexcept { return state_.index() == 0; }
  const Error& error() const noexcept { return std::get<1>(state_); }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace picket
