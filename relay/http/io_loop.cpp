#include "relay/http/io_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace picket::http {

namespace asio = boost::asio;

namespace {

thread_local const IoLoop* running_here = nullptr;

// The memory of one asynchronous wait, inside the object that waits: a wait costs no allocation.
class WaitMemory {
 public:
  void* take(std::size_t bytes) {
    if (taken_ || bytes > storage_.size()) return ::operator new(bytes);
    taken_ = true;
    return storage_.data();
  }
  void give_back(void* memory) {
    if (memory == storage_.data()) {
      taken_ = false;
    } else {
      ::operator delete(memory);
    }
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, 144> storage_;
  bool taken_ = false;
};

template <class T>
class WaitAllocator {
 public:
  using value_type = T;
  explicit WaitAllocator(WaitMemory& memory) : memory_(&memory) {}
  template <class U>
  WaitAllocator(const WaitAllocator<U>& other) : memory_(other.memory_) {}  // NOLINT: rebinding
  T* allocate(std::size_t count) { return static_cast<T*>(memory_->take(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t /*count*/) { memory_->give_back(memory); }
  template <class U>
  bool operator==(const WaitAllocator<U>& other) const {
    return memory_ == other.memory_;
  }

 private:
  template <class>
  friend class WaitAllocator;
  WaitMemory* memory_;
};

struct OneWait {
  WaitMemory memory;
  bool under_way = false;
};

struct OnReady {
  using allocator_type = WaitAllocator<std::byte>;
  allocator_type get_allocator() const noexcept { return allocator_type(wait->memory); }

  void operator()(const boost::system::error_code& error) {
    wait->under_way = false;
    if (error != asio::error::operation_aborted) listener->on_ready();
  }

  OneWait* wait;
  std::shared_ptr<ReadyListener> listener;
};

}  // namespace

struct IoLoop::Impl {
  // 1: one thread runs it; others may still post.
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer timer{context};
  Callbacks callbacks;
};

IoLoop::IoLoop() : impl_(std::make_unique<Impl>()) {}
IoLoop::~IoLoop() = default;

void IoLoop::set(Callbacks callbacks) {
  impl_->callbacks = std::move(callbacks);
}

void IoLoop::run() {
  running_here = this;
  impl_->context.run();
  running_here = nullptr;
}

bool IoLoop::on_own_thread() const {
  return running_here == this;
}

void IoLoop::wake() {
  asio::post(impl_->context, [this] { impl_->callbacks.on_wake(); });
}

void IoLoop::set_alarm(SteadyTime at) {
  impl_->timer.expires_at(at);
  impl_->timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) impl_->callbacks.on_alarm();
  });
}

void IoLoop::end() {
  impl_->timer.cancel();
  impl_->work.reset();
}

struct Descriptor::Impl {
  Impl(IoLoop::Impl& loop, int descriptor) : stream(loop.context, descriptor) {}
  asio::posix::stream_descriptor stream;
  std::array<OneWait, 2> waits;
};

Descriptor::Descriptor(IoLoop& loop, int descriptor)
    : impl_(std::make_unique<Impl>(*loop.impl_, descriptor)) {}
Descriptor::~Descriptor() = default;

int Descriptor::native() const {
  return impl_->stream.native_handle();
}

void Descriptor::wait(Direction direction, std::shared_ptr<ReadyListener> listener) {
  OneWait& one = impl_->waits[static_cast<std::size_t>(direction)];
  if (one.under_way) return;
  one.under_way = true;
  impl_->stream.async_wait(direction == Direction::read ? asio::posix::descriptor_base::wait_read
                                                        : asio::posix::descriptor_base::wait_write,
                           OnReady{&one, std::move(listener)});
}

void Descriptor::close() {
  boost::system::error_code ignored;
  impl_->stream.close(ignored);
}

}  // namespace picket::http
