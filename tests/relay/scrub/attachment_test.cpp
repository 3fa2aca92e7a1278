// Attachments keep their length.

#include "relay/scrub/blob.h"
#include "relay/scrub/scrubbing.h"

namespace picket::scrub {
namespace {

std::string scrubbed_file(const Settings& settings,
                          std::string_view content,
                          std::string_view name = "a.log") {
  const auto scrubber = Scrubber::make(settings);
  EXPECT_TRUE(scrubber);
  const auto header = R"({"type":"attachment","filename":")" + std::string(name) + "\"}";
  relay::Item item;
  item.header = header;
  item.payload = content;
  item.type = "attachment";
  const auto after = scrubber->scrub(item).value_or(std::string(content));
  EXPECT_EQ(after.size(), content.size());
  return after;
}

std::string wide(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    out += '\0';
  }
  return out;
}

std::string u32(std::size_t value) {
  std::string out;
  for (int i = 0; i < 4; ++i)
    out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

TEST(Attachment, IsTouchedOnlyWhereASelectorReachesIt) {
  const std::string text = "from 10.0.0.1 \xff to a@b.example";
  EXPECT_EQ(scrubbed_file({}, text), text);
  EXPECT_EQ(scrubbed_file(applied("$string", "@ip"), text), text);
  EXPECT_EQ(scrubbed_file(applied("$attachments.'b.log'", "@ip"), text), text);
  EXPECT_EQ(scrubbed_file(applied("$attachments.'a.log'", "@ip"), text),
            "from [ip]**** \xff to a@b.example");
  EXPECT_EQ(scrubbed_file(applied("$attachments.*", "@email:mask"), text),
            "from 10.0.0.1 \xff to ***********");
  EXPECT_EQ(scrubbed_file(applied("$binary", "@anything:remove"), "abc"), "***");
}

TEST(Attachment, IsScrubbedInWideTexts) {
  EXPECT_EQ(scrubbed_file(applied("$attachments.*", "@ip"), "\x01" + wide("x 10.0.0.1 y")),
            "\x01" + wide("x [ip]**** y"));
}

TEST(Attachment, TakesPatternsOfAnyBytes) {
  const auto settings = advanced(
      R"({"rules":{"r":{"type":"pattern","pattern":"k=(.+);","replaceGroups":[1],"redaction":{"method":"replace","text":"longer than that"}}},"applications":{"$attachments.*":["r"]}})");
  EXPECT_EQ(scrubbed_file(settings, "k=\xff\n\xfe;"), "k=lon;");
}

// A dump with a thread's stack, another piece of memory, a module and an environment.
std::string dump_of(const std::string& stack,
                    const std::string& heap,
                    const std::string& path,
                    const std::string& environment) {
  const std::size_t directory = 32;
  const std::size_t threads = directory + 12 * 4;
  const std::size_t memory = threads + 4 + 48;
  const std::size_t modules = memory + 4 + 2 * 16;
  const std::size_t stack_at = modules + 4 + 108;
  const std::size_t heap_at = stack_at + stack.size();
  const std::size_t path_at = heap_at + heap.size();
  const std::size_t environment_at = path_at + 4 + 2 * path.size();
  std::string dump = "MDMP" + u32(0xa793) + u32(4) + u32(directory) + std::string(16, '\0');
  dump += u32(3) + u32(52) + u32(threads) + u32(5) + u32(36) + u32(memory);
  dump += u32(4) + u32(112) + u32(modules) + u32(0x47670007) + u32(environment.size()) +
          u32(environment_at);
  dump += u32(1) + std::string(24, '\0') + u32(0x1000) + u32(0) + u32(stack.size()) +
          u32(stack_at) + std::string(8, '\0');
  dump += u32(2) + u32(0x1000) + u32(0) + u32(stack.size()) + u32(stack_at);
  dump += u32(0x9000) + u32(0) + u32(heap.size()) + u32(heap_at);
  dump += u32(1) + std::string(20, '\0') + u32(path_at) + std::string(84, '\0');
  return dump + stack + heap + u32(2 * path.size()) + wide(path) + environment;
}

TEST(Minidump, HasPartsThatAreSelectedOneByOne) {
  const auto before = dump_of("s 10.0.0.1", "h 10.0.0.2", "/home/jane/a.so", "IP=10.0.0.3");
  EXPECT_EQ(scrubbed_file(applied("$heap_memory", "@ip"), before, "x.dmp"),
            dump_of("s 10.0.0.1", "h [ip]****", "/home/jane/a.so", "IP=10.0.0.3"));
  EXPECT_EQ(scrubbed_file(applied("$stack_memory", "@ip"), before),
            dump_of("s [ip]****", "h 10.0.0.2", "/home/jane/a.so", "IP=10.0.0.3"));
  EXPECT_EQ(scrubbed_file(applied("$minidump.*", "@ip"), before),
            dump_of("s [ip]****", "h [ip]****", "/home/jane/a.so", "IP=[ip]****"));
  EXPECT_EQ(scrubbed_file(applied("$binary", "@ip"), before),
            dump_of("s 10.0.0.1", "h [ip]****", "/home/jane/a.so", "IP=[ip]****"));
  EXPECT_EQ(scrubbed_file(applied("$string", "@userpath"), before),
            dump_of("s 10.0.0.1", "h 10.0.0.2", "/home/[use/a.so", "IP=10.0.0.3"));
}

TEST(Minidump, IsNotBelieved) {
  auto dump = dump_of("s 10.0.0.1", "h 10.0.0.2", "/home/jane/a.so", "IP=10.0.0.3");
  for (std::size_t at = 8; at < 240 && at + 4 <= dump.size(); ++at) {
    auto broken = dump;
    broken.replace(at, 4, "\xff\xff\xff\xff");
    for (const auto& part : find_dump_parts(broken)) {
      EXPECT_LT(part.begin, part.end);
      EXPECT_LE(part.end, broken.size());
    }
    find_dump_parts(std::string_view(dump).substr(0, at));
  }
}

TEST(ViewHierarchy, IsScrubbedInWhatStoodOnTheScreen) {
  const std::string_view shown = R"({"rendering_system":"compose","windows":[{"type":"Window","identifier":"login","children":[
    {"type":"Field","identifier":"password_field","label":"Card 4111 1111 1111 1111","value":"north","password":"hunter2","width":12.5,"children":[]}]}]})";
  const auto kept = scrubbed({}, shown, "attachment", "event.view_hierarchy");
  EXPECT_EQ(kept, R"({"rendering_system":"compose","windows":[{"type":"Window","identifier":"login","children":[
    {"type":"Field","identifier":"password_field","label":"Card [Filtered]","value":"north","password":"[Filtered]","width":12.5,"children":[]}]}]})");
  EXPECT_EQ(scrubbed({}, shown, "attachment"), shown) << "of that type only";
  EXPECT_EQ(scrubbed({}, "no JSON, password=hunter2", "attachment", "event.view_hierarchy"), "no JSON, password=hunter2");
  Settings off;
  off.scrub_data = false;
  EXPECT_EQ(scrubbed(off, shown, "attachment", "event.view_hierarchy"), shown);
}

TEST(TraceAttachment, IsScrubbedInWhatItSaysOfItselfAndInItsBody) {
  const std::string meta = R"({"attachment_id":"019a72d07ffe77208c013ac888b38d9e","filename":"a.log","attributes":{"password":{"type":"string","value":"hunter2"},"shop":{"type":"string","value":"north"}}})";
  relay::Item item;
  item.type = "attachment";
  item.content_type = "application/vnd.sentry.attachment.v2";
  const auto payload = meta + "from 10.0.0.1";
  item.payload = payload;
  item.meta_length = meta.size();

  const auto by_default = Scrubber::make({})->scrub(item);
  ASSERT_TRUE(by_default);
  const auto changed = relay::with_payload(item, *by_default);
  const auto parts = relay::split_trace_attachment(changed);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->body, "from 10.0.0.1") << "files are left alone, as long as no selector names them";
  EXPECT_TRUE(relay::is_json(parts->meta)) << parts->meta;
  EXPECT_EQ(parts->meta.find("hunter2"), std::string_view::npos);
  EXPECT_NE(parts->meta.find("north"), std::string_view::npos);
  EXPECT_FALSE(Scrubber::make({})->scrub(changed)) << "once";

  auto named = applied("$attachments.'a.log'", "@ip");
  named.scrub_data = false;
  const auto body = Scrubber::make(named)->scrub(item);
  ASSERT_TRUE(body);
  EXPECT_EQ(*body, meta + "from [ip]****");

  item.meta_length = payload.size() + 1;  // then it is a file like any other
  EXPECT_FALSE(Scrubber::make({})->scrub(item));
}

}  // namespace
}  // namespace picket::scrub
