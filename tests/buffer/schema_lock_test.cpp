// Holds buffer/schema/rows.proto to its promise: fields are only ever added. The lock has a line per
// field, `message.field = number type label`.
//
// A new field is added to the lock with:  PICKET_UPDATE_SCHEMA_LOCK=1 <build>/schema_lock_test

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace picket::buffer {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorSet;
using Lines = std::set<std::string>;

std::string type_of(const FieldDescriptorProto& field) {
  if (!field.type_name().empty()) return field.type_name().substr(1);
  auto name = FieldDescriptorProto::Type_Name(field.type());  // TYPE_UINT64
  for (auto& letter : name) letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
  return name.substr(5);
}

void add_lines(const DescriptorProto& message, const std::string& prefix, Lines& lines) {
  const auto name = prefix + message.name();
  for (const auto& field : message.field()) {
    const bool repeated = field.label() == FieldDescriptorProto::LABEL_REPEATED;
    lines.insert(name + "." + field.name() + " = " + std::to_string(field.number()) + " " + type_of(field) +
                 (repeated ? " repeated" : " single"));
  }
  for (const auto& nested : message.nested_type()) add_lines(nested, name + ".", lines);
}

Lines lines_of_schema(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  FileDescriptorSet set;
  EXPECT_TRUE(set.ParseFromIstream(&in)) << path;
  Lines lines;
  for (const auto& file : set.file()) {
    for (const auto& message : file.message_type()) add_lines(message, "", lines);
  }
  return lines;
}

Lines lines_of_lock(const std::string& path) {
  std::ifstream in(path);
  Lines lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.front() != '#') lines.insert(line);
  }
  return lines;
}

Lines difference(const Lines& left, const Lines& right) {
  Lines only;
  std::set_difference(left.begin(), left.end(), right.begin(), right.end(), std::inserter(only, only.end()));
  return only;
}

TEST(SchemaLock, FieldsAreOnlyEverAdded) {
  const auto schema = lines_of_schema(PICKET_SCHEMA_DESCRIPTOR);
  const auto lock = lines_of_lock(PICKET_SCHEMA_LOCK);
  ASSERT_FALSE(schema.empty());
  for (const auto& line : difference(lock, schema)) {
    ADD_FAILURE() << "removed or changed: " << line
                  << "\nData that is out there has this field: keep it as it was and add a new one beside it.";
  }
  const auto added = difference(schema, lock);
  if (!added.empty() && std::getenv("PICKET_UPDATE_SCHEMA_LOCK") != nullptr && !HasFailure()) {
    std::ofstream out(PICKET_SCHEMA_LOCK);
    out << "# Every field that was ever released, one a line. Lines are only ever added, by\n"
           "# PICKET_UPDATE_SCHEMA_LOCK=1 schema_lock_test\n";
    for (const auto& line : schema) out << line << '\n';
    return;
  }
  for (const auto& line : added) {
    ADD_FAILURE() << "not in the lock: " << line << "\nIf it is meant to be released, add it with:\n"
                  << "  PICKET_UPDATE_SCHEMA_LOCK=1 <build folder>/schema_lock_test";
  }
}

TEST(SchemaLock, ARenumberedRetypedOrRenamedFieldShowsAsADifference) {
  FileDescriptorSet set;
  auto* const message = set.add_file()->add_message_type();
  message->set_name("Row");
  auto* const field = message->add_field();
  field->set_name("id");
  field->set_number(1);
  field->set_type(FieldDescriptorProto::TYPE_UINT64);
  field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  const auto lines = [&] {
    Lines found;
    add_lines(*message, "", found);
    return found;
  };
  const auto before = lines();
  EXPECT_EQ(before, Lines{"Row.id = 1 uint64 single"});
  field->set_number(2);
  EXPECT_EQ(difference(before, lines()).size(), 1U);
  field->set_number(1);
  field->set_type(FieldDescriptorProto::TYPE_INT64);
  EXPECT_EQ(difference(before, lines()).size(), 1U);
  field->set_type(FieldDescriptorProto::TYPE_UINT64);
  field->set_name("number");
  EXPECT_EQ(difference(before, lines()).size(), 1U);
}

}  // namespace
}  // namespace picket::buffer
