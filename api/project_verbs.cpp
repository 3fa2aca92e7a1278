// project ls, project create.
#include "api/rest/changes.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"
#include "api/verb_support.h"

#include <boost/json.hpp>

#include <iomanip>

namespace picket::rest {

namespace json = boost::json;

namespace {

ExitCode list(CommandLine& line) {
  if (!line.words.empty())
    return fail(line, ExitCode::usage, "project ls takes no words; see `picket project ls --help`");
  auto opened = open_tables(line, true);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  const auto snapshot = std::get<std::unique_ptr<buffer::Tables>>(opened)->snapshot();
  json::array rendered;
  if (!line.json()) line.out << "  ID  PROJECT                          PLATFORM     KEYS\n";
  for (const auto& organization : organizations(snapshot)) {
    for (const auto& project : projects_of(snapshot, organization.id())) {
      const auto keys = keys_of(snapshot, project.id()).size();
      rendered.push_back(json::object{{"id", project.id()},
                                      {"organization", organization.slug()},
                                      {"slug", project.slug()},
                                      {"name", project.name()},
                                      {"platform", text_or_null(project.platform())},
                                      {"keys", keys}});
      if (line.json()) continue;
      line.out << std::setw(4) << project.id() << "  " << std::left << std::setw(32)
               << organization.slug() + "/" + project.slug() << ' ' << std::setw(12)
               << (project.platform().empty() ? "-" : project.platform()) << ' ' << std::right
               << keys << '\n';
    }
  }
  if (line.json()) line.out << json::serialize(rendered) << '\n';
  return ExitCode::done;
}

ExitCode create(CommandLine& line) {
  if (line.words.size() != 1)
    return fail(line, ExitCode::usage, "name one project; see `picket project create --help`");
  const auto url = public_url(line);
  if (!url) return ExitCode::usage;
  const auto& name = line.words[0];
  if (name.empty() || length_of(name) > 200 || replace_invalid_utf8(name) != name) {
    return fail(line, ExitCode::usage, "a project's name has 1 to 200 characters of UTF-8");
  }
  auto opened = open_tables(line, false);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  auto& database = *std::get<std::unique_ptr<buffer::Tables>>(opened);
  const auto organization = named_organization(line, database.snapshot());
  if (!organization) return ExitCode::no;

  NewProject wanted;
  wanted.organization = organization->id();
  wanted.name = name;
  wanted.platform = line.option("platform").substr(0, 64);
  bool taken = false;
  schema::Project project;
  schema::ProjectKey key;
  const auto written = database.write([&](buffer::Batch& batch) {
    wanted.slug = slug_from(name, "project");
    taken = slug_taken(batch, SlugKind::project, wanted.organization, wanted.slug);
    if (taken) return;
    const auto teams = teams_of(batch, wanted.organization);
    if (!teams.empty()) wanted.team = teams.front().id();
    project = create_project(batch, wanted, SystemClock().now());
    key = keys_of(batch, project.id()).front();
  });
  if (!written) return fail(line, ExitCode::io, "not stored: " + written.error().detail);
  if (taken)
    return fail(line, ExitCode::no,
                "there is a project \"" + wanted.slug + "\" already; `picket dsn` lists its DSN");
  const auto dsn = render_public_dsn(*url, key.public_key(), project.id());
  if (line.json()) {
    line.out << json::serialize(json::object{{"organization", organization->slug()},
                                             {"project", project.slug()},
                                             {"project_id", project.id()},
                                             {"public_key", key.public_key()},
                                             {"dsn", dsn}})
             << '\n';
  } else {
    line.out << organization->slug() << '/' << project.slug() << "  " << dsn << '\n';
  }
  return ExitCode::done;
}

}  // namespace

std::vector<Command> project_commands() {
  return {
      {"project ls",
       "list the projects",
       "usage: picket project ls [--json]\n\n"
       "example: picket project ls\n",
       {"json"},
       {},
       &list},
      {"project create",
       "make a project and print its DSN",
       "usage: picket project create NAME [--platform NAME] [--organization SLUG] [--public-url "
       "URL] [--json]\n\n"
       "A running Picket takes events for it at once.\n\n"
       "example: picket project create \"Pump Station\" --platform python\n",
       {"json"},
       {"platform", "organization", "public-url"},
       &create},
  };
}

}  // namespace picket::rest
