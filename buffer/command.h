// How a room offers its command-line verbs: a table of Command, listed together by main.cpp.
//
// Exit codes, the same for every verb:
//   0 done   1 the answer is no (not found, verification failed)   64 wrong usage
//   69 what it needs is not available (Picket not running, upstream unreachable)
//   74 input/output failed (disk full, unreadable file)   78 wrong configuration or data folder
#pragma once

#include "buffer/result.h"

#include <filesystem>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace picket {

enum class ExitCode : int {
  done = 0,
  no = 1,
  usage = 64,
  unavailable = 69,
  io = 74,
  configuration = 78,
};

// What the words after `picket` say, once they fit a Command.
struct CommandLine {
  std::vector<std::string> words;              // after the verb: positional arguments in order
  std::map<std::string, std::string> options;  // "--name value", "--name=value"; "" for a bare flag
  std::filesystem::path storage;               // storage.path of the configuration, or --storage
  std::ostream& out;
  std::ostream& err;

  bool has(const std::string& option) const { return options.contains(option); }
  bool json() const { return has("json"); }
  // The option's value, or `fallback` when it was not given.
  std::string option(const std::string& name, std::string_view fallback = {}) const {
    const auto found = options.find(name);
    return found == options.end() ? std::string(fallback) : found->second;
  }
};

struct Command {
  std::string_view name;     // "journal ls": one or two words
  std::string_view summary;  // one line for `picket --help`
  std::string_view help;     // usage, options, and an example, for `picket journal ls --help`
  std::vector<std::string_view> flags;    // options without a value: "json"
  std::vector<std::string_view> options;  // options with a value: "from"
  ExitCode (*run)(CommandLine& line);
  bool configures_itself = false;  // the configuration is not read for it beforehand
};

// The command that the first one or two of `words` name, or nothing.
const Command* find_command(const std::vector<Command>& commands, const std::vector<std::string>& words);

// Sorts `words` (those after the command's name) into positional words and options.
// `--config FILE` and `--storage DIR` are known to every command. Fault::malformed, with what to do,
// for an option that the command does not have or a value that is missing.
Result<void> parse_words(const Command& command, const std::vector<std::string>& words, CommandLine& line);

// `picket --help`, and `picket <command> --help`.
std::string render_help(const std::vector<Command>& commands);
std::string render_help(const Command& command);

// The command whose name is nearest to what was typed.
std::string nearest_command(const std::vector<Command>& commands, const std::vector<std::string>& words);

// Runs the command that `words` (all after `picket`) name, or prints the help that they ask for. What
// is wrong with them is said on `err`. `configure` fills in what the configuration gives a command;
// anything but ExitCode::done from it ends the run.
ExitCode run_command(const std::vector<Command>& commands,
                     const std::vector<std::string>& words,
                     const std::function<ExitCode(CommandLine& line)>& configure,
                     std::ostream& out,
                     std::ostream& err);

// `picket: <what is wrong>` and the exit code for that kind of wrong; problems may be several lines.
ExitCode refuse_start(std::ostream& err, const Error& error);

// The least number of single-character changes between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace picket
