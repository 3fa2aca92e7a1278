// Locations and references to uploads. The first line is a location; the rest an envelope in which
// each "@@" stands for the location of an upload that is there.

#include "fuzz/invariant.h"
#include "relay/ingest/placeholders.h"
#include "relay/ingest/upload_location.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <algorithm>

namespace picket::ingest {
namespace {

using fuzz::check;

// Lives as long as the process, in a folder of its own.
struct Place {
  Place() {
    store = *UploadStore::open({.folder = folder / "uploads", .spool = nullptr}, clock);
    auto writer = *store->create({1, *relay::parse_project_key("0123456789abcdef0123456789abcdef"), payload.size()});
    check(!writer->take(payload) && writer->keep(), "an upload is stored");
    location = render_upload_location({1, writer->upload().id(), payload.size()}, store->secret());
  }
  static constexpr std::string_view payload = "an\nupload";
  testing::TempDir folder;
  testing::FakeClock clock;
  std::shared_ptr<UploadStore> store;
  std::string location;
};

std::string with_location(std::string_view text, const std::string& location) {
  std::string filled;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 2) == "@@" && filled.size() < (std::size_t{1} << 20)) {
      filled += location;
      at += 2;
    } else {
      filled += text[at++];
    }
  }
  return filled;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Place place;
  auto text = fuzz::as_text(bytes, size);
  const auto line = text.substr(0, text.find('\n'));
  if (const auto read = parse_upload_location(line, "a secret")) {
    check(parse_upload_location(render_upload_location(*read, "a secret"), "a secret") == read, "a location reads back");
  }
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  const auto whole = with_location(text, place.location);
  const auto envelope = relay::parse_envelope(whole);
  if (!envelope) return 0;
  const auto filled = fill_placeholders(*envelope, 1, place.store.get(), IngestConfig(), {});
  check(static_cast<bool>(filled), "there is room");
  const auto after = relay::parse_envelope(filled->envelope);
  check(static_cast<bool>(after), "what is filled in parses again");
  check(after->items.size() + filled->dropped.size() == envelope->items.size(), "nothing else is lost");
  std::size_t uploads = 0;
  for (const auto& item : after->items) uploads += item.payload == Place::payload ? 1 : 0;
  check(uploads >= filled->uploads.size(), "an upload's bytes are whole");
  return 0;
}

}  // namespace picket::ingest
