#include "api/journal_stream.h"

#include "buffer/crc32c.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/dsn.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace picket::api {
namespace {

constexpr std::string_view stream_format = "picket-envelopes";
constexpr std::int64_t stream_version = 1;
constexpr std::size_t longest_line_bytes = std::size_t{1} << 20;
// Above what any intake takes, so that a wrong length is found before it is believed.
constexpr std::uint64_t longest_body_bytes = std::uint64_t{1} << 30;
constexpr std::string_view checksum_member = R"(,"crc32c":")";
constexpr std::size_t checksum_tail_bytes = 8 + 2;  // digits, "}

constexpr std::array<std::string_view, 5> coding_names = {"identity", "gzip", "deflate", "br", "zstd"};

std::string render_checksum(std::uint32_t checksum) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%08x", checksum);
  return text.data();
}

std::optional<std::string> bytes_of_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = relay::hex_digit(text[i]);
    const auto low = relay::hex_digit(text[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes += static_cast<char>(*high << 4 | *low);
  }
  return bytes;
}

std::optional<boost::json::object> parse_line(std::string_view line) {
  boost::system::error_code failed;
  auto value = boost::json::parse(line, failed);
  if (failed || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::optional<std::string> text_of(const boost::json::object& object, std::string_view name) {
  const auto* const value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

std::optional<std::uint64_t> number_of(const boost::json::object& object, std::string_view name) {
  const auto* const value = object.if_contains(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0) return static_cast<std::uint64_t>(value->get_int64());
  return std::nullopt;
}

// All but the body. What is wrong, or nothing.
std::string_view read_members(const boost::json::object& members, StreamReader::Streamed& streamed) {
  auto& record = streamed.record;
  const auto sequence = number_of(members, "sequence");
  const auto project = number_of(members, "project");
  const auto received = relay::parse_timestamp(text_of(members, "received").value_or(""));
  const auto coding = std::find(coding_names.begin(), coding_names.end(), text_of(members, "coding").value_or("identity"));
  constexpr std::int64_t year_10000_ms = 253'402'300'800'000;
  if (!sequence || !project || *project == 0 || !received || *received < 0 || *received >= year_10000_ms) {
    return "sequence, project or received is missing or wrong";
  }
  if (coding == coding_names.end()) return "its coding is not known here";
  streamed.sequence = *sequence;
  record.project = *project;
  record.received = time_from_ms(*received);
  record.coding = static_cast<std::uint8_t>(coding - coding_names.begin());
  if (const auto key = text_of(members, "key"); key && !key->empty()) {
    const auto parsed = relay::parse_project_key(*key);
    if (!parsed) return "its key is none";
    record.key = relay::raw_bytes(*parsed);
  }
  const auto meta = bytes_of_hex(text_of(members, "meta").value_or(""));
  schema::IntakeMeta known;
  if (!meta || !known.ParseFromString(*meta)) return "its meta is none";
  known.clear_uploads();  // they name files of the Picket that it comes from
  if (known.event_id().empty()) {
    if (const auto id = relay::parse_event_id(text_of(members, "event_id").value_or(""))) known.set_event_id(std::string(relay::raw_bytes(*id)));
  }
  record.meta = known.SerializeAsString();
  return {};
}

}  // namespace

std::string render_stream_head() {
  return boost::json::serialize(boost::json::object{{"format", stream_format}, {"version", stream_version}, {"picket", PICKET_VERSION}});
}

std::string render_stream_record(const buffer::StoredRecord& record) {
  boost::json::object members{{"sequence", record.sequence},
                              {"received", relay::render_timestamp(to_ms(record.received))},
                              {"project", record.project}};
  if (!record.key.empty()) members["key"] = relay::render_hex(record.key);
  schema::IntakeMeta meta;
  if (meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size())) && !meta.event_id().empty()) {
    members["event_id"] = relay::render_hex(meta.event_id());
  }
  members["coding"] = coding_names.at(std::min<std::size_t>(record.coding, coding_names.size() - 1));
  members["meta"] = relay::render_hex(record.meta);
  members["bytes"] = record.body.size();
  auto line = boost::json::serialize(members);
  line.pop_back();
  const auto checksum = buffer::crc32c(record.body, buffer::crc32c(line));
  return line.append(checksum_member).append(render_checksum(checksum)).append("\"}");
}

std::string render_stream_end(std::uint64_t records) {
  return boost::json::serialize(boost::json::object{{"end", true}, {"records", records}});
}

Error StreamReader::broken(std::string_view why) const {
  return {Fault::malformed, "the stream is broken behind " + std::to_string(records_) + " records: " + std::string(why)};
}

Result<std::string> StreamReader::read_line() {
  std::string line;
  auto* const source = in_.rdbuf();
  for (;;) {
    const auto next = source->sbumpc();
    if (next == std::istream::traits_type::eof()) return broken("it is cut short");
    if (next == '\n') return line;
    if (line.size() >= longest_line_bytes) return broken("a line is too long");
    line += static_cast<char>(next);
  }
}

Result<buffer::Bytes> StreamReader::read_body(std::uint64_t bytes, std::uint32_t& checksum) {
  buffer::BytesBuilder builder(room_);
  std::string piece;
  for (std::uint64_t left = bytes; left > 0;) {
    piece.resize(std::min<std::uint64_t>(left, 64 * 1024));
    in_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (static_cast<std::size_t>(in_.gcount()) != piece.size()) return broken("it is cut short");
    checksum = buffer::crc32c(piece, checksum);
    if (auto appended = builder.append(piece); !appended) return appended.error();
    left -= piece.size();
  }
  return std::move(builder).finish();
}

Result<void> StreamReader::open() {
  const auto line = read_line();
  const auto head = line ? parse_line(*line) : std::nullopt;
  if (!head || text_of(*head, "format") != stream_format) {
    return Error{Fault::malformed, "this is no stream of `picket journal export`"};
  }
  if (number_of(*head, "version") != std::uint64_t{stream_version}) {
    return Error{Fault::malformed, "the stream's version is not known here; export it with this version of Picket, or import it with a later one"};
  }
  return {};
}

Result<std::optional<StreamReader::Streamed>> StreamReader::next() {
  const auto line = read_line();
  if (!line) return line.error();
  const auto members = parse_line(*line);
  if (!members) return broken("a line is no JSON object");
  if (members->contains("end")) {
    if (number_of(*members, "records") != records_) return broken("records are missing");
    return std::optional<Streamed>();
  }
  const auto tail = line->size() < checksum_member.size() + checksum_tail_bytes ? 0 : line->size() - checksum_member.size() - checksum_tail_bytes;
  const auto signed_part = std::string_view(*line).substr(0, tail);
  const auto bytes = number_of(*members, "bytes");
  if (!bytes || *bytes > longest_body_bytes) return broken("a record's length is missing or wrong");
  if (!std::string_view(*line).substr(tail).starts_with(checksum_member)) return broken("a record has no checksum at its end");
  Streamed streamed;
  if (const auto wrong = read_members(*members, streamed); !wrong.empty()) return broken(wrong);
  auto checksum = buffer::crc32c(signed_part);
  auto body = read_body(*bytes, checksum);
  if (!body) return body.error();
  if (text_of(*members, "crc32c") != render_checksum(checksum)) return broken("a record's checksum does not hold");
  if (in_.rdbuf()->sbumpc() != '\n') return broken("a record is longer than it says");
  streamed.record.body = *std::move(body);
  ++records_;
  return std::optional(std::move(streamed));
}

}  // namespace picket::api
