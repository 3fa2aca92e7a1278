#include "api/rest/setup.h"

#include "api/rest/auth.h"
#include "api/rest/changes.h"
#include "api/rest/render.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace picket::rest {

using buffer::Batch;
using buffer::Key;
using buffer::Table;

namespace {

Error file_error(const std::filesystem::path& path, std::string_view doing) {
  return Error{Fault::unavailable,
               std::string(doing) + " " + path.string() + ": " + std::strerror(errno)};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  bool valid() const { return number_ >= 0; }
  int get() const { return number_; }
  bool close() {
    const int number = std::exchange(number_, -1);
    return number < 0 || ::close(number) == 0;
  }

 private:
  int number_;
};

// All of `text` or nothing: a temporary file beside it, synced, then renamed.
Result<void> write_secret_file(const std::filesystem::path& path, std::string_view text) {
  auto temporary = path;
  temporary += ".new";
  ::unlink(temporary.c_str());  // left behind by a run that was cut short
  Descriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.valid()) return file_error(temporary, "cannot create");
  for (std::size_t written = 0; written < text.size();) {
    const auto count = ::write(file.get(), text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return file_error(temporary, "cannot write");
    written += static_cast<std::size_t>(count);
  }
  if (::fsync(file.get()) != 0 || !file.close()) return file_error(temporary, "cannot sync");
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return file_error(path, "cannot put in place");
  Descriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0)
    return file_error(path.parent_path(), "cannot sync");
  return {};
}

// The first word of the file; "" when there is none.
std::string read_token(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string token;
  constexpr std::size_t longest = 200;
  file >> token;
  return token.size() > longest ? std::string() : token;
}

bool is_valid_token(const buffer::Reader& reader, const std::string& token) {
  return !token.empty() && reader.get(Table::tokens, sha256(token)).has_value();
}

// The first of everything, in the order in which each needs the one before.
struct First {
  std::optional<schema::Organization> organization;
  std::optional<schema::Member> owner;
  std::optional<schema::Team> team;
  std::optional<schema::Project> project;
  std::optional<schema::ProjectKey> key;

  bool complete() const { return organization && owner && team && project && key; }
};

First find_first(const buffer::Reader& reader) {
  First first;
  const auto all = organizations(reader);
  if (all.empty()) return first;
  first.organization = all.front();
  const auto id = first.organization->id();
  for (const auto& member : members_of(reader, id)) {
    if (!first.owner && member.user() != 0 && member.role() == "owner") first.owner = member;
  }
  const auto teams = teams_of(reader, id);
  if (!teams.empty()) first.team = teams.front();
  const auto projects = projects_of(reader, id);
  if (!projects.empty()) first.project = projects.front();
  for (const auto& project : projects) {
    if (project.slug() == "default") first.project = project;
  }
  if (!first.project) return first;
  for (const auto& key : keys_of(reader, first.project->id())) {
    if (!first.key || (first.key->disabled() && !key.disabled())) first.key = key;
  }
  return first;
}

schema::Member create_owner(Batch& batch, std::uint64_t organization, Time now) {
  schema::User user;
  user.set_id(batch.next_number("user"));
  user.set_email("admin@localhost");
  user.set_name("Admin");
  user.set_username("admin");
  user.set_active(true);
  user.set_created_ms(to_ms(now));
  buffer::put_row(batch, Table::users, Key().u64(user.id()), user);
  schema::Member member;
  member.set_organization(organization);
  member.set_user(user.id());
  member.set_email(user.email());
  member.set_role("owner");
  return create_member(batch, std::move(member), now);
}

void complete(Batch& batch, First& first, Time now) {
  if (!first.organization) first.organization = create_organization(batch, "picket", "Picket", now);
  const auto organization = first.organization->id();
  if (!first.owner) first.owner = create_owner(batch, organization, now);
  if (!first.team) {
    first.team = create_team(batch, organization, "picket", "Picket", now);
    batch.put(Table::team_members, Key().u64(first.team->id()).u64(first.owner->id()), {});
  }
  if (!first.project) {
    NewProject wanted;
    wanted.organization = organization;
    wanted.slug = free_slug(batch, SlugKind::project, organization, "default");
    wanted.name = "default";
    wanted.team = first.team->id();
    first.project = create_project(batch, wanted, now);
    first.key = keys_of(batch, first.project->id()).front();
  }
  if (!first.key) first.key = create_key(batch, first.project->id(), "Default", now);
}

Setup describe(const First& first, const SetupOptions& options) {
  Setup setup;
  setup.organization = first.organization->slug();
  setup.project = first.project->slug();
  setup.project_id = first.project->id();
  setup.public_key = first.key->public_key();
  setup.dsn = render_public_dsn(options.public_url, setup.public_key, setup.project_id);
  return setup;
}

}  // namespace

Result<Setup> ensure_first(buffer::Tables& tables, const SetupOptions& options, Time now) {
  const auto path = options.storage / "token";
  auto token = read_token(path);
  First first;
  bool token_valid = false;
  {
    const auto snapshot = tables.snapshot();
    first = find_first(snapshot);
    token_valid = is_valid_token(snapshot, token);
  }
  const bool missing = !first.complete() || !token_valid;
  if (missing) {
    const auto written = tables.write([&](Batch& batch) {
      first = find_first(batch);
      complete(batch, first, now);
      token = read_token(path);  // anew: another process may have been here first
      if (is_valid_token(batch, token)) return;
      NewToken wanted;
      wanted.label = "first";
      wanted.scopes.assign(all_scopes.begin(), all_scopes.end());
      wanted.user = first.owner->user();
      token = create_token(batch, wanted, now);
      // Before the commit: a token in the tables that nobody knows would be worse than a file
      // whose token the next run replaces.
      if (const auto stored = write_secret_file(path, token + "\n"); !stored)
        batch.fail(stored.error());
    });
    if (!written) return written.error();
  }
  auto setup = describe(first, options);
  setup.token = token;
  setup.created = missing;
  return setup;
}

}  // namespace picket::rest
