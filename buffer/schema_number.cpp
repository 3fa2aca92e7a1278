#include "buffer/schema_number.h"

#include "buffer/logger.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string>
#include <system_error>

namespace picket::buffer {
namespace {

constexpr std::string_view environment_key = "environment";

Result<void> check(const schema::Environment& environment) {
  if (environment.minimum_reader() <= schema_number) return {};
  return Error{Fault::malformed,
               "the data folder was written by Picket " + environment.version() + " and needs schema " +
                   std::to_string(environment.minimum_reader()) + "; this is Picket " PICKET_VERSION
                   " with schema " + std::to_string(schema_number) +
                   ". Install that version or a later one, or restore a backup made with this one"};
}

}  // namespace

Result<void> check_schema_readable(const Tables& tables) {
  const auto snapshot = tables.snapshot();
  const auto environment = find_row<schema::Environment>(snapshot, Table::meta, environment_key);
  return environment ? check(*environment) : Result<void>();
}

std::uint32_t read_minimum_reader(const Tables& tables) {
  const auto environment = find_row<schema::Environment>(tables.snapshot(), Table::meta, environment_key);
  if (!environment) return 0;
  return environment->held_reader() != 0 ? environment->lasting_reader() : environment->minimum_reader();
}

Result<void> check_folder_readable(const std::filesystem::path& storage) {
  const auto path = storage / "tables.mdb";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  const auto tables = Tables::open({.path = path, .read_only = true});
  return tables ? check_schema_readable(**tables) : Result<void>();
}

Result<void> raise_minimum_reader(Tables& tables, std::uint32_t least) {
  return tables.write([least](Batch& batch) {
    auto environment = find_row<schema::Environment>(batch, Table::meta, environment_key).value_or(schema::Environment());
    if (environment.held_reader() != 0) environment.set_lasting_reader(std::max(environment.lasting_reader(), least));
    if (environment.held_reader() == 0 && environment.minimum_reader() >= least) return;
    environment.set_minimum_reader(std::max(environment.minimum_reader(), least));
    put_row(batch, Table::meta, environment_key, environment);
  });
}

void hold_reader(Batch& batch, std::uint32_t least) {
  auto environment = find_row<schema::Environment>(batch, Table::meta, environment_key);
  if (!environment || environment->held_reader() != 0) return;
  environment->set_held_reader(least);
  environment->set_lasting_reader(environment->minimum_reader());
  environment->set_minimum_reader(std::max(environment->minimum_reader(), least));
  put_row(batch, Table::meta, environment_key, *environment);
}

void release_reader(Batch& batch) {
  auto environment = find_row<schema::Environment>(batch, Table::meta, environment_key);
  if (!environment || environment->held_reader() == 0) return;
  environment->set_minimum_reader(environment->lasting_reader());
  environment->clear_held_reader();
  environment->clear_lasting_reader();
  put_row(batch, Table::meta, environment_key, *environment);
}

Result<SchemaFound> check_schema(Tables& tables, Time now) {
  SchemaFound found;
  auto environment = find_row<schema::Environment>(tables.snapshot(), Table::meta, environment_key);
  if (environment) {
    if (auto readable = check(*environment); !readable) return readable.error();
    found.written_by = environment->schema_number();
    if (found.written_by > schema_number) {
      log(Level::warning, "buffer", "data was written by a newer version, which will rebuild what this one cannot keep",
          {{"version", environment->version()},
           {"schema", std::uint64_t{found.written_by}},
           {"ours", std::uint64_t{schema_number}}});
    }
    if (found.written_by == schema_number && environment->version() == PICKET_VERSION) return found;
  } else {
    found.created = true;
    environment.emplace();
    environment->set_created_ms(to_ms(now));
  }
  environment->set_schema_number(schema_number);
  environment->set_minimum_reader(std::max(environment->minimum_reader(), minimum_reader));
  environment->set_version(PICKET_VERSION);
  const auto written = tables.write(
      [&](Batch& batch) { put_row(batch, Table::meta, environment_key, *environment); });
  if (!written) return written.error();
  return found;
}

}  // namespace picket::buffer
