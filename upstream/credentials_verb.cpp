#include "upstream/credentials_verb.h"

#include "buffer/descriptor.h"
#include "relay/protocol/relay_identity.h"
#include "upstream/relay_session.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <system_error>

namespace picket::upstream {
namespace {

namespace json = boost::json;

// All of it or nothing, readable by nobody else from its first byte on.
Result<void> write_secret(const std::filesystem::path& path, const std::string& text) {
  auto fresh = path;
  fresh += ".new";
  ::unlink(fresh.c_str());  // left behind by a run that was cut short
  {
    const auto file = buffer::Descriptor::open(fresh, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!file) return file.error();
    if (auto written = file->write_at(text, 0); !written) return written;
    if (auto synced = file->sync(); !synced) return synced;
  }
  return buffer::rename_durably(fresh, path);
}

void print(CommandLine& line, const relay::RelayIdentity& identity) {
  if (line.json()) {
    line.out << json::serialize(json::object{{"id", identity.id()}, {"public_key", identity.public_key()}}) << '\n';
  } else {
    line.out << "relay id    " << identity.id() << "\npublic key  " << identity.public_key() << '\n';
  }
}

ExitCode generate(CommandLine& line, const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored) && !line.has("overwrite")) {
    line.err << "picket: " << file.string() << " is there already, and an upstream may know it; --overwrite replaces it\n";
    return ExitCode::no;
  }
  const auto identity = relay::RelayIdentity::generate();
  if (const auto written = write_secret(std::filesystem::absolute(file), identity.render()); !written) {
    line.err << "picket: " << written.error().detail << '\n';
    return ExitCode::io;
  }
  print(line, identity);
  if (!line.json()) line.out << "Enter the public key over there, then set relay_credentials_file to " << file.string() << '\n';
  return ExitCode::done;
}

ExitCode show(CommandLine& line, const std::string& file) {
  const auto identity = read_relay_credentials(file);
  if (!identity) {
    line.err << "picket: " << identity.error().detail << '\n';
    return identity.error().fault == Fault::unavailable ? ExitCode::io : ExitCode::no;
  }
  print(line, *identity);
  return ExitCode::done;
}

ExitCode run(CommandLine& line) {
  const bool generates = line.words.size() == 2 && line.words[0] == "generate";
  const bool shows = line.words.size() == 2 && line.words[0] == "show";
  if (generates) return generate(line, line.words[1]);
  if (shows && !line.has("overwrite")) return show(line, line.words[1]);
  line.err << "picket: usage: picket upstream credentials generate FILE [--overwrite] | show FILE\n";
  return ExitCode::usage;
}

}  // namespace

Command credentials_command() {
  return {"upstream credentials", "make or show the credentials of a Relay, for an upstream that asks for one",
          "usage: picket upstream credentials generate FILE [--overwrite] [--json]\n"
          "       picket upstream credentials show FILE [--json]\n\n"
          "FILE is what relay_credentials_file names, in the format of Relay's credentials.json: one that a\n"
          "Relay has used can be taken over as it is. `generate` makes a new one that only its owner can read:\n"
          "run it as the user that serves. Both print the id and the public key, which the upstream is to know;\n"
          "the secret key stays in the file.\n\n"
          "example: picket upstream credentials generate /etc/picket/credentials.json\n",
          {"json", "overwrite"}, {}, &run, true};
}

}  // namespace picket::upstream
