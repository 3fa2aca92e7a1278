#include "buffer/settings.h"

#include "buffer/command.h"

#include <unistd.h>

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>
#include <sstream>

namespace picket {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit byte_units[] = {{"", 1},           {"B", 1},
                               {"kB", 1000},      {"KB", 1000},
                               {"MB", 1000'000},  {"GB", 1000'000'000},
                               {"TB", 1000'000'000'000}, {"KiB", 1ULL << 10},
                               {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30},
                               {"TiB", 1ULL << 40}};
constexpr Unit time_units[] = {{"ms", 1},        {"s", 1000},         {"m", 60'000},
                               {"h", 3'600'000}, {"d", 86'400'000}, {"w", 604'800'000}};

template <std::size_t count>
Result<std::uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[count], std::string_view example) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (error == std::errc{}) {
    for (const Unit& known : units) {
      std::uint64_t value = 0;
      if (unit == known.name && !__builtin_mul_overflow(number, known.factor, &value)) return value;
    }
  }
  return Error{Fault::malformed, "\"" + std::string(text) + "\" is not a value such as \"" + std::string(example) + "\""};
}

std::string upper(std::string_view text) {
  std::string result;
  for (const char c : text) result += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

std::string lower(std::string_view text) {
  std::string result;
  for (const char c : text) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string suggestion(std::string_view unknown, const std::set<std::string>& known) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return edit_distance(unknown, a) < edit_distance(unknown, b);
  });
  if (nearest == known.end()) return "";
  return "; did you mean \"" + *nearest + "\"?";
}

std::string place(const std::string& file, const toml::source_region& source) {
  return file + ":" + std::to_string(source.begin.line) + ":" + std::to_string(source.begin.column);
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  return parse_with_unit(text, byte_units, "64MiB");
}

Result<Duration> parse_duration(std::string_view text) {
  const auto ms = parse_with_unit(text, time_units, "30s");
  if (!ms) return ms.error();
  if (*ms > static_cast<std::uint64_t>(INT64_MAX)) return Error{Fault::malformed, "duration too long"};
  return Duration(static_cast<std::int64_t>(*ms));
}

struct Configuration::Impl {
  std::string file;
  toml::table table;
  Environment environment;
  std::vector<std::string> problems;
  std::set<std::string> bound_sections;
  std::set<std::string> used_variables;
};

namespace {

// Reads one table of the file, then lets the environment override.
class Section final : public Settings {
 public:
  Section(std::string name, std::string prefix, const toml::table* table, const std::string& file,
          const Configuration::Environment& environment, std::vector<std::string>& problems,
          std::set<std::string>& used_variables)
      : name_(std::move(name)),
        prefix_(std::move(prefix)),
        table_(table),
        file_(file),
        environment_(environment),
        problems_(problems),
        used_variables_(used_variables) {}

  void text(std::string_view key, std::string& field) override {
    if (const auto value = find(key)) field = value->text;
  }

  void flag(std::string_view key, bool& field) override {
    const auto value = find(key);
    if (!value) return;
    if (value->text == "true" || value->text == "1") {
      field = true;
    } else if (value->text == "false" || value->text == "0") {
      field = false;
    } else {
      problem(*value, key, "is neither true nor false");
    }
  }

  void number(std::string_view key, std::uint64_t& field, std::uint64_t least, std::uint64_t most) override {
    const auto value = find(key);
    if (!value) return;
    std::uint64_t number = 0;
    const char* const last = value->text.data() + value->text.size();
    const auto [end, error] = std::from_chars(value->text.data(), last, number);
    if (error != std::errc{} || end != last) return problem(*value, key, "is not a whole number");
    if (number < least || number > most) {
      return problem(*value, key, "is not within " + std::to_string(least) + " and " + std::to_string(most));
    }
    field = number;
  }

  void bytes(std::string_view key, std::uint64_t& field, std::uint64_t least, std::uint64_t most) override {
    const auto value = find(key);
    if (!value) return;
    const auto parsed = parse_bytes(value->text);
    if (!parsed) return problem(*value, key, parsed.error().detail);
    if (*parsed < least || *parsed > most) {
      return problem(*value, key, "is not within " + std::to_string(least) + " and " + std::to_string(most) + " bytes");
    }
    field = *parsed;
  }

  void duration(std::string_view key, Duration& field, Duration least, Duration most) override {
    const auto value = find(key);
    if (!value) return;
    const auto parsed = parse_duration(value->text);
    if (!parsed) return problem(*value, key, parsed.error().detail);
    if (*parsed < least || *parsed > most) {
      return problem(*value, key, "is not within " + std::to_string(least.count()) + "ms and " + std::to_string(most.count()) + "ms");
    }
    field = *parsed;
  }

  void list(std::string_view key, std::vector<std::string>& field) override {
    if (const auto variable = from_environment(key)) {
      field.clear();
      std::stringstream words(variable->text);
      for (std::string word; std::getline(words, word, ',');) field.push_back(word);
      return;
    }
    const toml::node* const node = in_file(key);
    if (node == nullptr) return;
    if (!node->is_array()) return problem({"", place(file_, node->source())}, key, "is not a list");
    field.clear();
    for (const toml::node& element : *node->as_array()) {
      if (const auto word = element.value<std::string>()) field.push_back(*word);
      else problem({"", place(file_, element.source())}, key, "holds something that is not text");
    }
  }

  void map(std::string_view key, std::vector<std::pair<std::string, std::string>>& field) override {
    if (const toml::node* const node = in_file(key); node != nullptr) {
      if (!node->is_table()) return problem({"", place(file_, node->source())}, key, "is not a table");
      for (const auto& [name, element] : *node->as_table()) {
        if (const auto word = element.value<std::string>()) field.emplace_back(std::string(name.str()), *word);
        else problem({"", place(file_, element.source())}, key, "holds something that is not text");
      }
    }
    const std::string prefix = prefix_ + upper(key) + "_";
    for (const auto& [name, value] : environment_) {
      if (!name.starts_with(prefix)) continue;
      used_variables_.insert(name);
      field.emplace_back(lower(name.substr(prefix.size())), value);
    }
  }

  void report_unknown_keys() {
    if (table_ != nullptr) {
      for (const auto& [key, node] : *table_) {
        if (known_.contains(std::string(key.str()))) continue;
        problems_.push_back(place(file_, key.source()) + ": unknown key \"" + std::string(key.str()) + "\" in [" +
                            name_ + "]" + suggestion(key.str(), known_));
      }
    }
    for (const auto& [name, value] : environment_) {
      if (!name.starts_with(prefix_) || used_variables_.contains(name)) continue;
      used_variables_.insert(name);
      problems_.push_back("environment: unknown variable " + name +
                          suggestion(lower(name.substr(prefix_.size())), known_));
    }
  }

 private:
  struct Value {
    std::string text;
    std::string place;
  };

  void problem(const Value& value, std::string_view key, const std::string& words) {
    problems_.push_back(value.place + ": " + name_ + "." + std::string(key) + " " + words);
  }

  const toml::node* in_file(std::string_view key) {
    known_.insert(std::string(key));
    return table_ == nullptr ? nullptr : table_->get(key);
  }

  std::optional<Value> from_environment(std::string_view key) {
    known_.insert(std::string(key));
    const auto found = environment_.find(prefix_ + upper(key));
    if (found == environment_.end()) return std::nullopt;
    used_variables_.insert(found->first);
    return Value{found->second, "environment: " + found->first};
  }

  std::optional<Value> find(std::string_view key) {
    if (auto variable = from_environment(key)) return variable;
    const toml::node* const node = in_file(key);
    if (node == nullptr) return std::nullopt;
    Value value{"", place(file_, node->source())};
    if (const auto* text = node->as_string()) {
      value.text = text->get();
    } else if (const auto* integer = node->as_integer()) {
      value.text = std::to_string(integer->get());
    } else if (const auto* boolean = node->as_boolean()) {
      value.text = boolean->get() ? "true" : "false";
    } else {
      problem(value, key, "has a value of the wrong type");
      return std::nullopt;
    }
    return value;
  }

  std::string name_;
  std::string prefix_;  // "PICKET_SERVER_"
  const toml::table* table_;
  const std::string& file_;
  const Configuration::Environment& environment_;
  std::vector<std::string>& problems_;
  std::set<std::string>& used_variables_;
  std::set<std::string> known_;
};

}  // namespace

Configuration::Configuration(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Configuration::Configuration(Configuration&&) noexcept = default;
Configuration& Configuration::operator=(Configuration&&) noexcept = default;
Configuration::~Configuration() = default;

Result<Configuration> Configuration::load(const std::filesystem::path& file, Environment environment) {
  auto impl = std::make_unique<Impl>();
  impl->file = file.string();
  impl->environment = std::move(environment);
  if (file.empty()) return Configuration(std::move(impl));
  if (::access(file.c_str(), R_OK) != 0) {
    return Error{Fault::not_found, "cannot read " + file.string() + "; see `picket config defaults` for a file to start from"};
  }
  try {
    impl->table = toml::parse_file(file.string());
  } catch (const toml::parse_error& error) {
    return Error{Fault::malformed, place(impl->file, error.source()) + ": " + std::string(error.description())};
  }
  return Configuration(std::move(impl));
}

void Configuration::section(const std::string& name, const Bind& bind) {
  impl_->bound_sections.insert(name);
  const toml::node* const node = impl_->table.get(name);
  if (node != nullptr && !node->is_table()) {
    impl_->problems.push_back(place(impl_->file, node->source()) + ": " + name + " is not a section; write [" + name + "]");
    return;
  }
  Section section(name, "PICKET_" + upper(name) + "_", node == nullptr ? nullptr : node->as_table(), impl_->file,
                  impl_->environment, impl_->problems, impl_->used_variables);
  bind(section);
  section.report_unknown_keys();
}

std::size_t Configuration::count(const std::string& name) {
  if (impl_->bound_sections.insert(name).second) {
    const toml::node* const node = impl_->table.get(name);
    if (node != nullptr && !node->is_array()) {
      impl_->problems.push_back(place(impl_->file, node->source()) + ": " + name + " is a list; write [[" + name + "]]");
    }
  }
  std::size_t count = 0;
  if (const auto* array = impl_->table.get_as<toml::array>(name)) count = array->size();
  const std::string prefix = "PICKET_" + upper(name) + "_";
  for (const auto& [variable, value] : impl_->environment) {
    if (!variable.starts_with(prefix)) continue;
    std::size_t index = 0;
    const char* const first = variable.data() + prefix.size();
    const auto [end, error] = std::from_chars(first, variable.data() + variable.size(), index);
    if (error == std::errc{} && end != first && index < 1000) count = std::max(count, index + 1);
  }
  return count;
}

void Configuration::element(const std::string& name, std::size_t index, const Bind& bind) {
  impl_->bound_sections.insert(name);
  const auto* const array = impl_->table.get_as<toml::array>(name);
  const toml::table* table = nullptr;
  if (array != nullptr && index < array->size()) table = (*array)[index].as_table();
  Section section(name, "PICKET_" + upper(name) + "_" + std::to_string(index) + "_", table, impl_->file,
                  impl_->environment, impl_->problems, impl_->used_variables);
  bind(section);
  section.report_unknown_keys();
}

std::vector<std::string> Configuration::problems() const {
  auto problems = impl_->problems;
  for (const auto& [key, ignored] : impl_->table) {
    const std::string name(key.str());
    if (impl_->bound_sections.contains(name)) continue;
    problems.push_back(place(impl_->file, key.source()) + ": unknown section [" + name + "]" +
                       suggestion(name, impl_->bound_sections));
  }
  return problems;
}

Configuration::Environment picket_environment() {
  Configuration::Environment found;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const auto equals = text.find('=');
    if (text.starts_with("PICKET_") && equals != std::string_view::npos) {
      found.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return found;
}

}  // namespace picket
