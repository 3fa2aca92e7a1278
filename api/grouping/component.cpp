#include "api/grouping/component.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace picket::grouping {

std::string_view wire_name(Part part) {
  switch (part) {
    case Part::app: return "app";
    case Part::system: return "system";
    case Part::default_: return "default";
    case Part::chained_exception: return "chained-exception";
    case Part::exception: return "exception";
    case Part::threads: return "threads";
    case Part::stacktrace: return "stacktrace";
    case Part::frame: return "frame";
    case Part::module: return "module";
    case Part::filename: return "filename";
    case Part::function: return "function";
    case Part::context_line: return "context-line";
    case Part::type: return "type";
    case Part::value: return "value";
    case Part::ns_error: return "ns-error";
    case Part::message: return "message";
    case Part::template_: return "template";
    case Part::csp: return "csp";
    case Part::hpkp: return "hpkp";
    case Part::expect_ct: return "expect-ct";
    case Part::expect_staple: return "expect-staple";
    case Part::salt: return "salt";
    case Part::violation: return "violation";
    case Part::uri: return "uri";
    case Part::hostname: return "hostname";
  }
  std::abort();
}

void Component::add(Component* child) {
  if (last_child == nullptr) {
    first_child = child;
  } else {
    last_child->next = child;
  }
  last_child = child;
  contributes = contributes || child->contributes;
}

char* Arena::room_for(std::size_t bytes, std::size_t alignment) {
  constexpr std::size_t usual = 16 * 1024;
  const auto gap = (alignment - reinterpret_cast<std::uintptr_t>(next_) % alignment) % alignment;
  if (next_ == nullptr || left_ < bytes + gap) {
    const auto size = bytes > usual ? bytes : usual;
    chunks_.emplace_back(new char[size]);  // aligned for everything
    next_ = chunks_.back().get();
    left_ = size;
  } else {
    next_ += gap;
    left_ -= gap;
  }
  char* room = next_;
  next_ += bytes;
  left_ -= bytes;
  return room;
}

Component* Arena::component(Part part) {
  auto* made = new (room_for(sizeof(Component), alignof(Component))) Component;
  made->part = part;
  return made;
}

Component* Arena::leaf(Part part, std::string_view text) {
  auto* made = component(part);
  made->texts[0] = text;
  made->has_texts = true;
  made->contributes = true;
  return made;
}

std::string_view Arena::keep(std::string_view text) {
  if (text.empty()) return {};
  char* room = room_for(text.size(), 1);
  std::memcpy(room, text.data(), text.size());
  return {room, text.size()};
}

void append_contributing(const Component& component, std::string& out) {
  if (!component.contributes) return;
  for (const auto text : component.texts)
    out += text;
  for (const auto* child = component.first_child; child != nullptr; child = child->next)
    append_contributing(*child, out);
}

std::optional<Hash> hash_of(const Component& component) {
  if (!component.contributes) return std::nullopt;
  std::string texts;
  append_contributing(component, texts);
  return relay::md5_of(texts);
}

bool has_contributing_value(const Component& component) {
  if (!component.contributes) return false;
  if (component.part == Part::value) return true;
  for (const auto* child = component.first_child; child != nullptr; child = child->next) {
    if (child->part != Part::stacktrace && has_contributing_value(*child)) return true;
  }
  return false;
}

bool has_contributing_stack(const Component& component) {
  if (component.part == Part::stacktrace) return component.contributes;
  for (const auto* child = component.first_child; child != nullptr; child = child->next) {
    if (child->part != Part::frame && has_contributing_stack(*child)) return true;
  }
  return false;
}

}  // namespace picket::grouping
