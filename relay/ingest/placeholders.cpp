#include "relay/ingest/placeholders.h"

#include "relay/ingest/upload_location.h"
#include "relay/protocol/json_object.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace picket::ingest {
namespace {

constexpr std::string_view content_type = "application/vnd.sentry.attachment-ref";
constexpr std::size_t most_payload_bytes = std::size_t{8} << 10;
constexpr std::size_t longest_type = 256;

// With and without +json, and parameters.
bool is_placeholder(const relay::Item& item) {
  if (item.type != "attachment") return false;
  const bool escaped = item.content_type.find('\\') != std::string_view::npos;
  const auto unescaped = escaped ? relay::unescape_json(item.content_type) : std::string();
  auto type = escaped ? std::string_view(unescaped) : item.content_type;
  if (!type.starts_with(content_type)) return false;
  type.remove_prefix(content_type.size());
  if (type.starts_with("+json")) type.remove_prefix(5);
  return type.empty() || type.front() == ';' || type.front() == ' ';
}

// What a placeholder says.
struct Reference {
  std::string location;
  std::optional<std::string> content_type;
};
std::optional<Reference> parse_reference(std::string_view payload) {
  if (payload.size() > most_payload_bytes) return std::nullopt;
  Reference reference;
  relay::JsonObjectReader reader(payload);
  while (const auto member = reader.next()) {
    if (!member->is_string()) continue;
    if (member->named("location")) reference.location = relay::unescape_json(member->raw_text());
    if (member->named("content_type")) reference.content_type = relay::unescape_json(member->raw_text());
  }
  if (reader.failure() || reference.location.empty()) return std::nullopt;
  if (reference.content_type && reference.content_type->size() > longest_type) return std::nullopt;
  return reference;
}

// The item's header with the length and type of what it stood for; every other byte kept.
// Nothing when it announces another length, or would become too long to be read again.
std::optional<std::string> render_header(const relay::Item& item, const Reference& reference, std::uint64_t length) {
  auto header = R"({"length":)" + std::to_string(length);
  if (reference.content_type) header += R"(,"content_type":)" + relay::render_json_string(*reference.content_type);
  relay::JsonObjectReader reader(item.header);
  while (const auto member = reader.next()) {
    if (member->named("attachment_length")) {
      if (relay::parse_whole_number(member->value) != length) return std::nullopt;
    } else if (!member->named("length") && !member->named("content_type")) {
      header.append(",\"").append(member->key).append("\":").append(member->value);
    }
  }
  header += '}';
  if (header.size() > relay::EnvelopeLimits().max_item_header_bytes) return std::nullopt;
  return header;
}

class Filling {
 public:
  Filling(const relay::Envelope& envelope,
          relay::ProjectId project,
          const UploadStore* store,
          const IngestConfig& config,
          const buffer::ByteRoom& room)
      : envelope_(envelope), project_(project), store_(store), config_(config), out_(room) {
    for (const auto& item : envelope.items) {
      if (is_placeholder(item)) continue;
      others_ += item.header.size() + item.payload.size() + 2;
      if (item.type == "attachment") attached_ += item.payload.size();
    }
  }

  Result<FilledEnvelope> run() {
    add(envelope_.header);
    add("\n");
    for (const auto& item : envelope_.items) {
      if (is_placeholder(item)) {
        fill(item);
      } else {
        add_item(item.header, item.payload);
      }
    }
    if (!added_) return added_.error();
    auto bytes = std::move(out_).finish();
    if (!bytes) return bytes.error();
    filled_.envelope = *std::move(bytes);
    return std::move(filled_);
  }

 private:
  void add(std::string_view bytes) {
    if (added_) added_ = out_.append(bytes);
  }
  void add_item(std::string_view header, std::string_view payload) {
    add(header);
    add("\n");
    add(payload);
    add("\n");
  }

  void fill(const relay::Item& item) {
    const auto reference = parse_reference(item.payload);
    const auto upload = reference ? find(reference->location) : nullptr;
    if (!upload) return drop("invalid_placeholder_attachment");
    const auto length = upload->terms().length;
    const auto header = render_header(item, *reference, length);
    if (!header) return drop("invalid_placeholder_attachment");
    // What is filled in must be taken by whoever would take the envelope itself.
    const auto whole = envelope_.header.size() + others_ + header->size() + length + 3;
    if (attached_ + length > config_.max_attachment_bytes || whole > config_.max_envelope_bytes)
      return drop("too_large:attachment");
    const auto bytes = store_->read(*upload);
    if (!bytes) return drop("invalid_placeholder_attachment");
    attached_ += length;
    others_ += header->size() + length + 2;
    add_item(*header, *bytes);
    filled_.uploads.push_back(upload->id());
  }

  std::shared_ptr<Upload> find(std::string_view text) const {
    if (store_ == nullptr) return nullptr;
    const auto location = parse_upload_location(text, store_->secret());
    if (!location || location->project != project_) return nullptr;
    auto upload = store_->find(location->id);
    if (!upload || upload->terms().project != project_ || !upload->complete()) return nullptr;
    return upload;
  }

  void drop(std::string_view reason) {
    filled_.dropped.push_back({{relay::DataCategory::attachment, 1}, relay::Outcome::invalid, std::string(reason)});
  }

  const relay::Envelope& envelope_;
  const relay::ProjectId project_;
  const UploadStore* const store_;
  const IngestConfig& config_;
  buffer::BytesBuilder out_;
  Result<void> added_;
  std::uint64_t attached_ = 0;  // bytes of attachments
  std::uint64_t others_ = 0;    // bytes of all that is not a placeholder any more
  FilledEnvelope filled_;
};

}  // namespace

std::uint64_t most_upload_bytes(const IngestConfig& config) {
  const auto beside = config.max_envelope_bytes - std::min(config.max_event_bytes, config.max_envelope_bytes);
  return std::min(config.max_attachment_bytes, beside);
}

bool has_placeholders(const relay::Envelope& envelope) {
  return std::ranges::any_of(envelope.items, is_placeholder);
}

Result<FilledEnvelope> fill_placeholders(const relay::Envelope& envelope,
                                         relay::ProjectId project,
                                         const UploadStore* store,
                                         const IngestConfig& config,
                                         const buffer::ByteRoom& room) {
  return Filling(envelope, project, store, config, room).run();
}

}  // namespace picket::ingest
