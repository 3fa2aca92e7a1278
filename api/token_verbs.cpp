// token ls, token create, token revoke.
#include "api/rest/auth.h"
#include "api/rest/changes.h"
#include "api/verb_support.h"

#include <boost/json.hpp>

#include <algorithm>
#include <iomanip>

namespace picket::rest {

namespace json = boost::json;
using buffer::Table;

namespace {

std::string day(std::int64_t ms) {
  const auto time = render_time(ms);
  return time.is_null() ? "never" : std::string(time.as_string()).substr(0, 10);
}

std::vector<schema::Token> tokens(const buffer::Reader& reader) {
  std::vector<schema::Token> rows;
  for_each(reader, Table::tokens, {}, [&](std::string_view, std::string_view value) {
    rows.push_back(buffer::parse_row<schema::Token>(value));
    return true;
  });
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
  return rows;
}

std::string joined_scopes(const schema::Token& token) {
  if (static_cast<std::size_t>(token.scopes_size()) == all_scopes.size()) return "all";
  std::string text;
  for (const auto& scope : token.scopes())
    text += (text.empty() ? "" : ",") + scope;
  return text;
}

ExitCode list(CommandLine& line) {
  if (!line.words.empty()) {
    return fail(line, ExitCode::usage,
                "\"token " + line.words[0] + "\" is no command; there are ls, create and revoke");
  }
  auto opened = open_tables(line, true);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  const auto rows = tokens(std::get<std::unique_ptr<buffer::Tables>>(opened)->snapshot());
  if (!line.json()) line.out << "  ID  ENDS IN  CREATED     LAST USED   LABEL             SCOPES\n";
  json::array rendered;
  for (const auto& token : rows) {
    json::array scopes;
    for (const auto& scope : token.scopes())
      scopes.emplace_back(scope);
    rendered.push_back(json::object{{"id", token.id()},
                                    {"label", token.label()},
                                    {"ends_in", token.last_characters()},
                                    {"scopes", std::move(scopes)},
                                    {"created", render_time(token.created_ms())},
                                    {"last_used", render_time(token.last_used_ms())}});
    if (line.json()) continue;
    line.out << std::setw(4) << token.id() << "  " << std::left << std::setw(9)
             << token.last_characters() << std::setw(12) << day(token.created_ms()) << std::setw(12)
             << day(token.last_used_ms()) << std::setw(18) << token.label() << std::right
             << joined_scopes(token) << '\n';
  }
  if (line.json()) line.out << json::serialize(rendered) << '\n';
  return ExitCode::done;
}

// "org:read,project:read", or "all". Nothing (and a message) for an unknown word.
std::optional<std::vector<std::string>> parse_scopes(CommandLine& line, std::string_view text) {
  if (text == "all") return std::vector<std::string>(all_scopes.begin(), all_scopes.end());
  std::vector<std::string> scopes;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto word = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (word.empty()) continue;
    if (!is_scope(word)) {
      line.err << "picket: \"" << word << "\" is no scope; there are:";
      for (const auto scope : all_scopes)
        line.err << ' ' << scope;
      line.err << '\n';
      return std::nullopt;
    }
    scopes.emplace_back(word);
  }
  if (scopes.empty()) {
    line.err << "picket: --scopes names none\n";
    return std::nullopt;
  }
  return scopes;
}

ExitCode create(CommandLine& line) {
  if (!line.words.empty())
    return fail(line, ExitCode::usage, "give the label as --label \"" + line.words[0] + "\"");
  const auto scopes = parse_scopes(
      line, line.option("scopes", "org:read,member:read,team:read,project:read,event:read"));
  if (!scopes) return ExitCode::usage;
  auto opened = open_tables(line, false);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  auto& database = *std::get<std::unique_ptr<buffer::Tables>>(opened);
  NewToken wanted;
  wanted.label = replace_invalid_utf8(line.option("label", "cli")).substr(0, 200);
  wanted.scopes = *scopes;
  {
    const auto snapshot = database.snapshot();
    const auto organization = named_organization(line, snapshot);
    if (!organization) return ExitCode::no;
    for (const auto& member : members_of(snapshot, organization->id())) {
      if (wanted.user == 0 && member.user() != 0 && member.role() == "owner")
        wanted.user = member.user();
    }
    // Without an owner to act for, or when one organization was asked for, the token is that one's.
    if (line.has("organization") || wanted.user == 0) wanted.organization = organization->id();
  }
  std::string token;
  const auto written = database.write(
      [&](buffer::Batch& batch) { token = create_token(batch, wanted, SystemClock().now()); });
  if (!written) return fail(line, ExitCode::io, "not stored: " + written.error().detail);
  if (line.json()) {
    line.out << json::serialize(json::object{{"token", token}, {"label", wanted.label}}) << '\n';
  } else {
    line.out << token << '\n';
    line.err << "This is the only time that it is shown; `picket token revoke` takes it back.\n";
  }
  return ExitCode::done;
}

ExitCode revoke(CommandLine& line) {
  const auto id = line.words.size() == 1 ? parse_id(line.words[0]) : std::nullopt;
  if (!id)
    return fail(line, ExitCode::usage, "name one token by its ID; `picket token ls` lists them");
  auto opened = open_tables(line, false);
  if (const auto* code = std::get_if<ExitCode>(&opened)) return *code;
  bool found = false;
  const auto written =
      std::get<std::unique_ptr<buffer::Tables>>(opened)->write([&](buffer::Batch& batch) {
        for (const auto& token : tokens(batch)) {
          if (token.id() != *id) continue;
          batch.remove(Table::tokens, token.hash());
          found = true;
        }
      });
  if (!written) return fail(line, ExitCode::io, "not revoked: " + written.error().detail);
  if (!found)
    return fail(line, ExitCode::no,
                "there is no token " + line.words[0] + "; `picket token ls` lists them");
  line.out << "Token " << *id << " is no longer valid.\n";
  return ExitCode::done;
}

constexpr std::string_view list_help =
    "usage: picket token ls [--json]\n\n"
    "Tokens themselves are not kept, only their hashes: the last four characters tell them "
    "apart.\n\n"
    "See also `picket token create --help` and `picket token revoke --help`.\n\n"
    "example: picket token ls\n";

}  // namespace

std::vector<Command> token_commands() {
  return {
      {"token",
       "list the API tokens; see also token create and token revoke",
       list_help,
       {"json"},
       {},
       &list},
      {"token ls", "list the API tokens", list_help, {"json"}, {}, &list},
      {"token create",
       "make an API token and print it, this once",
       "usage: picket token create [--label WORDS] [--scopes LIST] [--organization SLUG] "
       "[--json]\n\n"
       "LIST is comma-separated, or \"all\"; admin includes write, write includes read. Default: "
       "to\n"
       "read everything. With --organization, the token sees that organization only.\n\n"
       "example: picket token create --label ci --scopes project:releases,org:ci\n",
       {"json"},
       {"label", "scopes", "organization"},
       &create},
      {"token revoke",
       "make an API token invalid",
       "usage: picket token revoke ID\n\n"
       "Takes effect with the next request.\n\n"
       "example: picket token revoke 3\n",
       {},
       {},
       &revoke},
  };
}

}  // namespace picket::rest
