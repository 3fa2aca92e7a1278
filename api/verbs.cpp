#include "api/verbs.h"

#include "api/config.h"
#include "api/rest/changes.h"
#include "api/rest/render.h"
#include "api/rest/setup.h"
#include "api/verb_support.h"
#include "buffer/schema_number.h"
#include "relay/http/config.h"

#include <boost/json.hpp>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace picket::rest {

namespace json = boost::json;

ExitCode fail(CommandLine& line, ExitCode code, std::string_view words) {
  line.err << "picket: " << words << '\n';
  return code;
}

OpenedTables open_tables(CommandLine& line, bool read_only) {
  const auto path = line.storage / "tables.mdb";
  std::error_code ignored;
  if (read_only && !std::filesystem::exists(path, ignored)) {
    return fail(line, ExitCode::configuration,
                "no data in " + line.storage.string() + "; `picket init --storage " +
                    line.storage.string() + "` makes some");
  }
  if (!read_only) {
    std::filesystem::create_directories(line.storage.parent_path(), ignored);
    const bool made =
        ::mkdir(line.storage.c_str(), S_IRWXU | S_IRGRP | S_IXGRP) == 0 || errno == EEXIST;
    if (!made) {
      return fail(line, ExitCode::configuration,
                  "cannot make " + line.storage.string() + ": " + std::strerror(errno));
    }
  }
  auto tables = buffer::Tables::open({.path = path, .read_only = read_only});
  if (!tables) {
    return fail(line, ExitCode::configuration,
                "cannot open " + path.string() + ": " + tables.error().detail);
  }
  if (const auto readable = buffer::check_schema_readable(**tables); !readable) return fail(line, ExitCode::configuration, readable.error().detail);
  return *std::move(tables);
}

std::optional<std::string> public_url(CommandLine& line) {
  auto url = parse_public_url(line.option("public-url", http::default_origin));
  if (url) return *std::move(url);
  line.err << "picket: " << url.error().detail << '\n';
  return std::nullopt;
}

std::optional<schema::Organization> named_organization(CommandLine& line,
                                                       const buffer::Reader& reader) {
  if (line.has("organization")) {
    auto found = find_organization(reader, line.option("organization"));
    if (!found)
      line.err << "picket: there is no organization \"" << line.option("organization") << "\"\n";
    return found;
  }
  const auto all = organizations(reader);
  if (!all.empty()) return all.front();
  line.err << "picket: there is no organization yet; `picket init` makes one\n";
  return std::nullopt;
}

namespace {

void print(CommandLine& line, const Setup& setup, const std::string& url) {
  const auto token_file = (line.storage / "token").string();
  line.out
      << "Picket is set up in " << line.storage.string() << "\n\n"
      << "  URL      " << url << "\n"
      << "  project  " << setup.organization << "/" << setup.project << "\n"
      << "  DSN      " << setup.dsn << "\n"
      << "  token    in " << token_file << " (mode 0600)\n\n"
      << "A first event:\n\n"
      << "  curl -H 'Content-Type: application/json' -d '{\"message\":\"hello from curl\"}' \\\n"
      << "    '" << url << "/api/" << setup.project_id << "/store/?sentry_key=" << setup.public_key
      << "'\n\n"
      << "and where it is then:\n\n"
      << "  curl -H \"Authorization: Bearer $(cat " << token_file << ")\" \\\n"
      << "    " << url << "/api/0/projects/" << setup.organization << "/" << setup.project
      << "/issues/\n";
}

ExitCode init(CommandLine& line) {
  if (!line.words.empty())
    return fail(line, ExitCode::usage, "init takes no words; see `picket init --help`");
  const auto url = public_url(line);
  if (!url) return ExitCode::usage;
  auto opened = open_tables(line, false);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  auto& tables = *std::get<std::unique_ptr<buffer::Tables>>(opened);
  const auto setup =
      ensure_first(tables, {.storage = line.storage, .public_url = *url}, SystemClock().now());
  if (!setup) return fail(line, ExitCode::io, "not set up: " + setup.error().detail);
  if (!line.json()) {
    print(line, *setup, *url);
    return ExitCode::done;
  }
  const json::object rendered{{"organization", setup->organization},
                              {"project", setup->project},
                              {"project_id", setup->project_id},
                              {"public_key", setup->public_key},
                              {"dsn", setup->dsn},
                              {"token", setup->token}};
  line.out << json::serialize(rendered) << '\n';
  return ExitCode::done;
}

ExitCode list_dsns(CommandLine& line) {
  if (!line.words.empty())
    return fail(line, ExitCode::usage, "dsn takes no words; see `picket dsn --help`");
  const auto url = public_url(line);
  if (!url) return ExitCode::usage;
  auto opened = open_tables(line, true);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  const auto snapshot = std::get<std::unique_ptr<buffer::Tables>>(opened)->snapshot();
  const auto wanted = line.option("project");
  json::array rows;
  for (const auto& organization : organizations(snapshot)) {
    for (const auto& project : projects_of(snapshot, organization.id())) {
      const bool named = project.slug() == wanted || std::to_string(project.id()) == wanted;
      if (line.has("project") && !named) continue;
      for (const auto& key : keys_of(snapshot, project.id())) {
        if (key.disabled()) continue;
        const auto dsn = render_public_dsn(*url, key.public_key(), project.id());
        rows.push_back(json::object{{"organization", organization.slug()},
                                    {"project", project.slug()},
                                    {"project_id", project.id()},
                                    {"label", key.label()},
                                    {"public_key", key.public_key()},
                                    {"dsn", dsn}});
        if (line.json()) continue;
        if (!line.has("project")) line.out << organization.slug() << '/' << project.slug() << "  ";
        line.out << dsn << '\n';
      }
    }
  }
  if (line.json()) line.out << json::serialize(rows) << '\n';
  if (!rows.empty() || line.json()) return rows.empty() ? ExitCode::no : ExitCode::done;
  return fail(line, ExitCode::no,
              line.has("project") ? "project \"" + wanted +
                                        "\" has no enabled key; `picket project ls` lists projects"
                                  : "there is no enabled key; `picket init` makes one");
}

}  // namespace

std::vector<Command> api_commands() {
  std::vector<Command> commands = {
      {"init",
       "make the data folder with a first organization, project, key and API token",
       "usage: picket init [--storage DIR] [--public-url URL] [--json]\n\n"
       "Makes what is missing and leaves the rest alone: running it again changes nothing. The "
       "API\n"
       "token goes to DIR/token, readable by its owner only. --public-url is the address that "
       "SDKs\n"
       "reach (default: public_url of [api], else where serve listens). --json prints organization,\n"
       "project, project_id, public_key, dsn and token as one object.\n\n"
       "example: picket init --storage ./data --public-url https://errors.example.com\n",
       {"json"},
       {"public-url"},
       &init},
      {"dsn",
       "list the DSNs to put into applications",
       "usage: picket dsn [--project SLUG] [--public-url URL] [--json]\n\n"
       "One line for each enabled key; with --project, the bare DSNs of that project.\n\n"
       "example: export SENTRY_DSN=$(picket dsn --project default)\n",
       {"json"},
       {"project", "public-url"},
       &list_dsns},
  };
  for (auto& command : token_commands())
    commands.push_back(std::move(command));
  for (auto& command : project_commands())
    commands.push_back(std::move(command));
  return commands;
}

}  // namespace picket::rest
