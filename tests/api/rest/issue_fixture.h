// A Picket that receives: events go into a journal, the digest makes issues of them, REST serves them.
#pragma once

#include "api/digest/digest.h"
#include "rest_fixture.h"
#include "support/fake_journal.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

inline std::string event_id_text(std::uint64_t number) {
  auto digits = std::to_string(number);
  return std::string(32 - digits.size(), '0') + digits;
}

class IssuesTest : public Rest {
 protected:
  IssuesTest() : issues_api_{*tables_, journal, clock_, "http://picket.example:3000"} {}

  Answer call(std::string_view method, std::string_view target, std::string body = {}, std::string_view with = {}) {
    http::Request request;
    request.head.method = method;
    request.head.target = target;
    const auto question = target.find('?');
    request.head.path = target.substr(0, question);
    if (question != std::string_view::npos) request.head.query = target.substr(question + 1);
    request.head.headers.add("Authorization", "Bearer " + (with.empty() ? token : std::string(with)));
    request.body = std::move(body);
    auto response = serve(issues_api_, request);
    Answer answer{response.status, response.headers, response.body, response.content_type, nullptr};
    if (!response.body.empty() && response.content_type == "application/json") {
      boost::json::parse_options options;
      options.max_depth = 512;
      answer.json = boost::json::parse(response.body, {}, options);
    }
    return answer;
  }
  Answer get(std::string_view target) { return call("GET", target); }

  // Receives one item without digesting it. Returns its event id.
  std::string receive(std::string_view payload, std::string_view type = "event", std::uint64_t project = 0) {
    const auto id = event_id_text(++last_event_);
    buffer::Record record;
    record.received = clock_.now();
    record.project = project == 0 ? first.project_id : project;
    record.key = std::string(16, 'k');
    record.body = "{\"event_id\":\"" + id + "\"}\n{\"type\":\"" + std::string(type) + "\",\"length\":" +
                  std::to_string(payload.size()) + "}\n" + std::string(payload) + "\n";
    EXPECT_TRUE(journal.offer(std::move(record), [](const Result<buffer::Sequence>&) {}));
    return id;
  }
  void digest() {
    digest::Digest worker(journal, *tables_, clock_, {});
    for (;;) {
      const auto digested = worker.run_once();
      ASSERT_TRUE(digested) << digested.error().detail;
      if (*digested == 0) return;
    }
  }

  // An error whose type makes its issue: `fields` are further members, with a leading comma. Time moves
  // on by a second, so that issues are ordered.
  std::string error(std::string_view type, std::string_view fields = "", std::uint64_t project = 0) {
    clock_.advance(std::chrono::seconds(1));
    const auto id = receive("{\"platform\":\"python\",\"exception\":{\"values\":[{\"type\":\"" + std::string(type) +
                                "\",\"value\":\"went wrong\"}]}" + std::string(fields) + "}",
                            "event", project);
    digest();
    return id;
  }

  std::string organization_path(std::string_view rest) const {
    return "/api/0/organizations/" + first.organization + "/" + std::string(rest);
  }
  std::string project_path(std::string_view rest) const {
    return "/api/0/projects/" + first.organization + "/" + first.project + "/" + std::string(rest);
  }

  // The titles of a list, up to the first ':', in order.
  std::vector<std::string> listed(std::string_view query) {
    return titles(get(organization_path("issues/?" + std::string(query))));
  }
  static std::vector<std::string> titles(const Answer& answer) {
    std::vector<std::string> found;
    EXPECT_EQ(answer.status, 200U) << answer.text;
    if (!answer.json.is_array()) return found;
    for (const auto& issue : answer.json.as_array()) {
      const auto title = text_of(issue.at("title"));
      found.push_back(title.substr(0, title.find(':')));
    }
    return found;
  }
  // The id of the issue with that type.
  std::string issue(std::string_view type) {
    const auto answer = get(organization_path("issues/?query=error.type:" + std::string(type)));
    EXPECT_EQ(answer.json.as_array().size(), 1U) << type;
    return text_of(answer.json.at(0).at("id"));
  }

  testing::FakeJournal journal;
  Api issues_api_;

 private:
  std::uint64_t last_event_ = 0;
};

// For comparing with a member of an answer.
inline boost::json::value json_text(std::string_view text) {
  return boost::json::value(text);
}

using Titles = std::vector<std::string>;

}  // namespace picket::rest
