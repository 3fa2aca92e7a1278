// Bytes that somebody owns: text in memory, or a read-only view of a file that is kept alive with
// it and takes no memory of its own (spool.h). Whoever only reads takes a std::string_view, which
// both turn into.
//
// INVARIANT  The bytes never change. Those of a file stay where they are when the holder moves;
//            those in memory move with it.
// THREADS    A value like std::string; slices of one file may live on different threads.
#pragma once

#include "buffer/memory_budget.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace picket::buffer {

class Bytes {
 public:
  Bytes() = default;
  Bytes(std::string text) : text_(std::move(text)) {}  // NOLINT: what is in memory is bytes
  Bytes(const char* text) : text_(text) {}             // NOLINT
  // Counted against a budget for as long as it lives.
  Bytes(std::string text, MemoryLease lease) : text_(std::move(text)), lease_(std::move(lease)) {}
  // REQUIRES: `view` stays valid while `owner` lives.
  Bytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  Bytes(Bytes&& other) noexcept { swap(other); }
  Bytes& operator=(Bytes&& other) noexcept {
    Bytes(std::move(other)).swap(*this);
    return *this;
  }
  // Of what is in memory a second copy, which is on nobody's budget.
  Bytes(const Bytes& other) : text_(other.text_), owner_(other.owner_), view_(other.view_) {}
  Bytes& operator=(const Bytes& other) {
    if (this != &other) Bytes(other).swap(*this);
    return *this;
  }
  ~Bytes() = default;

  std::string_view view() const { return owner_ ? view_ : std::string_view(text_); }
  operator std::string_view() const { return view(); }  // NOLINT
  std::size_t size() const { return view().size(); }
  bool empty() const { return view().empty(); }
  const char* data() const { return view().data(); }

  bool in_file() const { return owner_ != nullptr; }
  std::size_t memory_bytes() const { return text_.size(); }
  // What keeps the bytes in place; nothing for those in memory.
  const std::shared_ptr<const void>& owner() const { return owner_; }

  // As text in memory: a copy of what lies in a file.
  std::string take_text() && { return owner_ ? std::string(view_) : std::move(text_); }

  // A part of these as bytes of their own: no copy when they lie in a file.
  // REQUIRES: `part` lies in view().
  Bytes slice(std::string_view part) const {
    return owner_ ? Bytes(owner_, part) : Bytes(std::string(part));
  }

  friend bool operator==(const Bytes& left, std::string_view right) { return left.view() == right; }

 private:
  void swap(Bytes& other) noexcept {
    std::swap(text_, other.text_);
    std::swap(lease_, other.lease_);
    std::swap(owner_, other.owner_);
    std::swap(view_, other.view_);
  }

  std::string text_;
  MemoryLease lease_;
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace picket::buffer
