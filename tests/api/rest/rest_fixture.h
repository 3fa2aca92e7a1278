// A set-up Picket's tables with the REST API over them, and calls as a client would make them.
#pragma once

#include "api/rest/auth.h"
#include "api/rest/changes.h"
#include "api/rest/router.h"
#include "api/rest/setup.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace picket::rest {

// The endpoints of this room read tables only.
class NoJournal final : public buffer::Journal {
 public:
  Result<void> offer(buffer::Record, buffer::OnDurable) override { return missing(); }
  bool full() const override { return false; }
  Result<buffer::ReadBatch> read(buffer::Sequence, std::size_t, std::size_t) const override {
    return missing();
  }
  Result<buffer::ReadBatch> read_one(buffer::Sequence) const override { return missing(); }
  bool wait_for(buffer::Sequence, Duration) const override { return false; }
  void interrupt() override {}
  void on_commit(std::function<void()>) override {}
  buffer::JournalUse use() const override { return {}; }
  std::vector<buffer::SegmentUse> segments() const override { return {}; }
  Result<void> recycle_before(buffer::Sequence) override { return missing(); }

 private:
  static Error missing() { return {Fault::not_found, "no journal in this test"}; }
};

struct Answer {
  unsigned status = 0;
  http::Headers headers;
  std::string text;
  std::string content_type;
  boost::json::value json;  // null when there is no body

  const boost::json::value& operator[](std::string_view name) const { return json.at(name); }
  std::string detail() const { return std::string(json.at("detail").as_string()); }
};

class Rest : public ::testing::Test {
 protected:
  Rest() : tables_(open()), api_{*tables_, journal_, clock_, "http://picket.example:3000"} {
    auto setup = ensure_first(*tables_, {.storage = dir_.path(), .public_url = api_.public_url},
                              clock_.now());
    if (!setup) throw std::runtime_error(setup.error().detail);
    first = *std::move(setup);
    token = first.token;
  }

  Answer call(std::string_view method,
              std::string_view target,
              std::string body = {},
              std::string_view with = {}) {
    http::Request request;
    request.head.method = method;
    request.head.target = target;
    const auto question = target.find('?');
    request.head.path = target.substr(0, question);
    if (question != std::string_view::npos) request.head.query = target.substr(question + 1);
    request.head.headers.add("Authorization",
                             "Bearer " + (with.empty() ? token : std::string(with)));
    request.body = std::move(body);
    return send(request);
  }
  Answer get(std::string_view target) { return call("GET", target); }

  Answer send(const http::Request& request) {
    auto response = serve(api_, request);
    Answer answer{response.status, response.headers, response.body, response.content_type, nullptr};
    if (!response.body.empty() && response.content_type == "application/json") {
      answer.json = boost::json::parse(response.body);
    }
    return answer;
  }

  // A token of the first user, or of nobody but one organization.
  std::string make_token(const std::vector<std::string>& scopes,
                         std::uint64_t organization = 0,
                         bool of_user = true) {
    return make_token_for(of_user ? 1 : 0, scopes, organization);
  }
  std::string make_token_for(std::uint64_t user,
                             const std::vector<std::string>& scopes,
                             std::uint64_t organization = 0) {
    std::string made;
    write([&](buffer::Batch& batch) {
      made = create_token(
          batch, {.label = "test", .scopes = scopes, .user = user, .organization = organization},
          clock_.now());
    });
    return made;
  }

  // A user with a membership of that role.
  std::uint64_t make_user(std::string_view name,
                          std::uint64_t organization,
                          std::string_view role) {
    std::uint64_t id = 0;
    write([&](buffer::Batch& batch) {
      schema::User user;
      id = batch.next_number("user");
      user.set_id(id);
      user.set_name(std::string(name));
      user.set_email(std::string(name) + "@example.com");
      user.set_active(true);
      buffer::put_row(batch, buffer::Table::users, buffer::Key().u64(id), user);
      schema::Member member;
      member.set_organization(organization);
      member.set_user(id);
      member.set_role(std::string(role));
      create_member(batch, member, clock_.now());
    });
    return id;
  }

  std::uint64_t make_organization(std::string_view slug) {
    std::uint64_t id = 0;
    write([&](buffer::Batch& batch) {
      id = create_organization(batch, slug, slug, clock_.now()).id();
    });
    return id;
  }

  void write(const std::function<void(buffer::Batch&)>& change) {
    const auto written = tables_->write(change);
    ASSERT_TRUE(written) << written.error().detail;
  }

  std::uint64_t generation() {
    const auto snapshot = tables_->snapshot();
    const auto stored = snapshot.get(buffer::Table::meta, "projects_generation");
    return stored ? buffer::KeyReader(*stored).u64() : 0;
  }

  testing::TempDir dir_;
  testing::FakeClock clock_;
  NoJournal journal_;
  std::unique_ptr<buffer::Tables> tables_;
  Api api_;
  rest::Setup first;
  std::string token;

 private:
  std::unique_ptr<buffer::Tables> open() {
    auto tables =
        buffer::Tables::open({.path = dir_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    if (!tables) throw std::runtime_error(tables.error().detail);
    return *std::move(tables);
  }
};

inline std::string text_of(const boost::json::value& value) {
  return std::string(value.as_string());
}

// The cursor of a Link header's relation, and what it says of results.
struct Relation {
  std::string url;
  std::string results;
  std::string cursor;
};
inline Relation relation(std::string_view link, std::string_view name) {
  const auto attribute = [](std::string_view part, std::string_view key) {
    const auto from = part.find(std::string(key) + "=\"");
    if (from == std::string_view::npos) return std::string();
    const auto start = from + key.size() + 2;
    return std::string(part.substr(start, part.find('"', start) - start));
  };
  const auto comma = link.find(", <");
  for (const auto part : {link.substr(0, comma),
                          link.substr(comma == std::string_view::npos ? link.size() : comma + 2)}) {
    if (attribute(part, "rel") != name) continue;
    const auto open = part.find('<');
    const auto close = part.find('>');
    return {std::string(part.substr(open + 1, close - open - 1)), attribute(part, "results"),
            attribute(part, "cursor")};
  }
  return {};
}

}  // namespace picket::rest
