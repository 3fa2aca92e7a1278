#include "buffer/command.h"

#include <algorithm>
#include <cstdlib>

namespace picket {
namespace {

std::string spelled(const std::vector<std::string>& words, std::size_t count) {
  std::string name;
  for (std::size_t i = 0; i < count && i < words.size(); ++i) {
    if (i > 0) name += ' ';
    name += words[i];
  }
  return name;
}

bool has(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

const Command* find_command(const std::vector<Command>& commands, const std::vector<std::string>& words) {
  for (const std::size_t count : {std::size_t{2}, std::size_t{1}}) {
    if (words.size() < count) continue;
    const std::string name = spelled(words, count);
    for (const Command& command : commands) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
}

std::string nearest_command(const std::vector<Command>& commands, const std::vector<std::string>& words) {
  const std::string typed = spelled(words, 2);
  std::string nearest;
  std::size_t least = SIZE_MAX;
  for (const Command& command : commands) {
    const auto distance = std::min(edit_distance(typed, command.name), edit_distance(words[0], command.name));
    if (distance < least) {
      least = distance;
      nearest = command.name;
    }
  }
  return nearest;
}

Result<void> parse_words(const Command& command, const std::vector<std::string>& words, CommandLine& line) {
  bool only_words = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_words || !word.starts_with("--")) {
      line.words.push_back(word);
      continue;
    }
    if (word == "--") {
      only_words = true;
      continue;
    }
    const auto equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const bool takes_value = has(command.options, name) || name == "config" || name == "storage";
    if (!takes_value && !has(command.flags, name) && name != "help") {
      return Error{Fault::malformed, "unknown option --" + name + "; see `picket " + std::string(command.name) + " --help`"};
    }
    if (!takes_value) {
      if (equals != std::string::npos) return Error{Fault::malformed, "--" + name + " takes no value"};
      line.options[name] = "";
    } else if (equals != std::string::npos) {
      line.options[name] = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      line.options[name] = words[++i];
    } else {
      return Error{Fault::malformed, "--" + name + " needs a value"};
    }
  }
  return {};
}

std::string render_help(const std::vector<Command>& commands) {
  std::string text =
      "picket: takes what Sentry's SDKs send, keeps it, shows it, passes it on\n\n"
      "usage: picket COMMAND [options]\n\n";
  std::size_t width = 0;
  for (const Command& command : commands) width = std::max(width, command.name.size());
  for (const Command& command : commands) {
    text += "  " + std::string(command.name) + std::string(width - command.name.size() + 2, ' ');
    text += std::string(command.summary) + "\n";
  }
  text +=
      "\nEvery command takes --config FILE (default: picket.toml in the current folder, then\n"
      "/etc/picket/picket.toml) and --storage DIR; `picket COMMAND --help` says the rest.\n"
      "Example: picket init --storage ./data && picket serve --storage ./data\n\n"
      "Exit codes: 0 done, 1 the answer is no, 64 wrong usage, 69 something needed is not\n"
      "available, 74 input or output failed, 78 wrong configuration or data folder.\n";
  return text;
}

std::string render_help(const Command& command) {
  return std::string(command.help);
}

ExitCode run_command(const std::vector<Command>& commands,
                     const std::vector<std::string>& words,
                     const std::function<ExitCode(CommandLine& line)>& configure,
                     std::ostream& out,
                     std::ostream& err) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    (words.empty() ? err : out) << render_help(commands);
    return words.empty() ? ExitCode::usage : ExitCode::done;
  }
  if (words[0] == "--version") return run_command(commands, {"version"}, configure, out, err);
  const Command* const command = find_command(commands, words);
  if (command == nullptr) {
    err << "picket: no command \"" << spelled(words, 2) << "\"; did you mean \""
        << nearest_command(commands, words) << "\"? `picket --help` lists them\n";
    return ExitCode::usage;
  }
  CommandLine line{{}, {}, {}, out, err};
  const bool two_words = command->name.find(' ') != std::string_view::npos;
  const auto parsed = parse_words(*command, {words.begin() + (two_words ? 2 : 1), words.end()}, line);
  if (!parsed) {
    err << "picket " << command->name << ": " << parsed.error().detail << "\n";
    return ExitCode::usage;
  }
  if (line.has("help")) {
    out << render_help(*command);
    return ExitCode::done;
  }
  if (!command->configures_itself) {
    if (const auto configured = configure(line); configured != ExitCode::done) return configured;
  }
  return command->run(line);
}

ExitCode refuse_start(std::ostream& err, const Error& error) {
  std::string text = error.detail;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  err << "picket: " << text << "\n";
  switch (error.fault) {
    case Fault::malformed:
    case Fault::too_large:
    case Fault::corrupt: return ExitCode::configuration;
    case Fault::not_found:
    case Fault::unavailable: return ExitCode::io;
  }
  std::abort();
}

}  // namespace picket
