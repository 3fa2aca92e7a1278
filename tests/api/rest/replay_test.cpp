// Replays and profiles over REST.
#include "issue_fixture.h"

#include "relay/protocol/content_encoding.h"

namespace picket::rest {
namespace {

constexpr std::string_view replay_id = "00000000000000000000000000000077";

class Replays : public IssuesTest {
 protected:
  void receive_segment(int number, std::string_view more, const std::string& recording) {
    const auto seconds = static_cast<double>(to_ms(clock_.now())) / 1000.0;
    const auto event = R"({"type":"replay_event","replay_id":"00000000000000000000000000000077","segment_id":)" + std::to_string(number) +
                       ",\"replay_start_timestamp\":" + std::to_string(seconds - 60) + ",\"timestamp\":" + std::to_string(seconds) +
                       std::string(more) + "}";
    const auto body = "{\"segment_id\":" + std::to_string(number) + "}\n" + recording;
    buffer::Record record;
    record.received = clock_.now();
    record.project = first.project_id;
    record.key = std::string(16, 'k');
    record.body = "{\"event_id\":\"00000000000000000000000000000077\"}\n{\"type\":\"replay_event\",\"length\":" + std::to_string(event.size()) + "}\n" + event +
                  "\n{\"type\":\"replay_recording\",\"length\":" + std::to_string(body.size()) + "}\n" + body + "\n";
    EXPECT_TRUE(journal.offer(std::move(record), [](const Result<buffer::Sequence>&) {}));
  }
  std::string replay(std::string_view rest) { return project_path("replays/" + std::string(replay_id) + "/" + std::string(rest)); }
};

TEST_F(Replays, AreListedSearchedAndShown) {
  const auto error_id = error("KeyError");
  receive_segment(0, R"(,"urls":["/cart"],"error_ids":[")" + error_id + R"("],"environment":"dock","user":{"email":"ada@example.com"},"tags":{"shift":"night"},"release":"shop@1")", "[]");
  receive_segment(1, R"(,"urls":["/pay"])", "[]");
  digest();
  const auto list = get(organization_path("replays/"));
  ASSERT_EQ(list.status, 200U) << list.text;
  ASSERT_EQ(list["data"].as_array().size(), 1U);
  const auto& shown = list["data"].at(0);
  EXPECT_EQ(shown.at("id"), boost::json::value(replay_id));
  EXPECT_EQ(shown.at("count_segments"), 2);
  EXPECT_EQ(shown.at("count_urls"), 2);
  EXPECT_EQ(shown.at("duration"), 60);
  EXPECT_EQ(shown.at("user").at("display_name"), "ada@example.com");
  EXPECT_EQ(shown.at("tags").at("shift").at(0), "night");
  const auto count = [&](std::string_view query) { return get(organization_path("replays/?query=" + std::string(query)))["data"].as_array().size(); };
  EXPECT_EQ(count("user.email:ada*"), 1U);
  EXPECT_EQ(count("shift:day"), 0U);
  EXPECT_EQ(count("count_errors:%3E0%20environment:dock"), 1U);
  EXPECT_EQ(count("url:%2Fpay%20OR%20url:%2Fnone"), 1U);
  EXPECT_EQ(count("duration:%3C10"), 0U);
  EXPECT_EQ(get(organization_path("replays/?sort=nonsense")).status, 400U);
  EXPECT_EQ(get(organization_path("replays/?field=urls")).json.at("data").at(0).as_object().size(), 2U);
  const auto one = get(organization_path("replays/" + std::string(replay_id) + "/"));
  EXPECT_EQ(one["data"].at("environment"), "dock");
  EXPECT_EQ(get(organization_path("replays/00000000000000000000000000000078/")).status, 404U);
  const auto issue_id = issue("KeyError");
  EXPECT_EQ(get(organization_path("replay-count/?data_source=errors&query=issue.id:[" + issue_id + ",999]"))[issue_id], 1);
  EXPECT_EQ(get(organization_path("replay-count/?data_source=errors&returnIds=true&query=issue.id:" + issue_id))[issue_id].at(0), boost::json::value(replay_id));
  EXPECT_EQ(get(organization_path("replay-count/?data_source=errors&query=shift:day")).status, 400U);
}

TEST_F(Replays, SegmentsAreJoinedInOrderWhateverTheyWereCompressedWith) {
  receive_segment(1, "", R"([{"type":5,"data":{"tag":"breadcrumb","payload":{"category":"ui.click","timestamp":1700000000.5,"data":{"nodeId":12}}}}])");
  receive_segment(0, "", relay::encode_gzip(R"([{"type":4}])", 6));
  receive_segment(2, "", "\x78\x9cnot zlib at all");
  digest();
  const auto list = get(replay("recording-segments/?download=true"));
  ASSERT_EQ(list.status, 200U) << list.text;
  ASSERT_EQ(list.json.as_array().size(), 3U);
  EXPECT_EQ(list.json.at(0).at(0).at("type"), 4);
  EXPECT_EQ(list.json.at(1).at(0).at("type"), 5);
  EXPECT_EQ(list.json.at(2).as_array().size(), 0U) << "what cannot be read is empty";
  const auto paged = get(replay("recording-segments/?per_page=2"));
  EXPECT_EQ(paged.json.as_array().size(), 2U);
  EXPECT_EQ(relation(paged.headers.find("Link"), "next").results, "true");
  const auto one = get(replay("recording-segments/1/"));
  EXPECT_EQ(one["data"].at("segmentId"), 1);
  EXPECT_EQ(one["data"].at("replayId"), boost::json::value(replay_id));
  EXPECT_EQ(get(replay("recording-segments/1/?download")).json.as_array().size(), 1U);
  EXPECT_EQ(get(replay("recording-segments/9/")).status, 404U);
  const auto clicks = get(replay("clicks/"));
  ASSERT_EQ(clicks["data"].as_array().size(), 1U) << clicks.text;
  EXPECT_EQ(clicks["data"].at(0).at("node_id"), 12);
}

TEST_F(Replays, AreDeletedForGoodAndRememberWhoSawThem) {
  receive_segment(0, "", "[]");
  digest();
  EXPECT_EQ(call("POST", replay("viewed-by/")).status, 204U);
  EXPECT_EQ(get(replay("viewed-by/"))["data"].at("viewed_by").as_array().size(), 1U);
  EXPECT_EQ(get(organization_path("replays/"))["data"].at(0).at("has_viewed"), true);
  EXPECT_EQ(call("DELETE", replay("")).status, 204U);
  EXPECT_EQ(call("DELETE", replay("")).status, 404U);
  EXPECT_EQ(get(replay("recording-segments/")).status, 404U);
  receive_segment(1, "", "[]");
  digest();
  EXPECT_EQ(get(organization_path("replays/"))["data"].as_array().size(), 0U) << "a late segment brings nothing back";
}

TEST_F(Replays, ProfilesAndChunksAreGivenBack) {
  receive(R"({"event_id":"00000000000000000000000000000042","version":"1","platform":"node","release":"none","profile":{"samples":[]},"transaction":{"name":"t"}})", "profile");
  for (int i = 1; i <= 2; ++i) {
    receive(R"({"profiler_id":"00000000000000000000000000000043","chunk_id":"0000000000000000000000000000004)" + std::to_string(i) +
                R"(","version":"2","platform":"node","profile":{"frames":[{"function":"f"}],"stacks":[[0]],"samples":[{"timestamp":)" +
                std::to_string(to_ms(clock_.now()) / 1000 + i) + R"(,"stack_id":0}]}})",
            "profile_chunk");
  }
  digest();
  const auto profile = get(project_path("profiling/profiles/00000000000000000000000000000042/"));
  ASSERT_EQ(profile.status, 200U) << profile.text;
  EXPECT_EQ(profile["platform"], "node");
  EXPECT_EQ(profile["release"], nullptr);
  EXPECT_EQ(get(project_path("profiling/raw_profiles/00000000000000000000000000000042/"))["release"], "none");
  EXPECT_EQ(get(project_path("profiling/profiles/00000000000000000000000000000099/")).status, 404U);
  const auto chunks = get(organization_path("profiling/chunks/?project=" + std::to_string(first.project_id) + "&profiler_id=00000000000000000000000000000043"));
  ASSERT_EQ(chunks.status, 200U) << chunks.text;
  EXPECT_EQ(chunks["debug_chunk_ids"].as_array().size(), 2U);
  EXPECT_EQ(chunks["chunk"].at("profile").at("frames").as_array().size(), 2U);
  EXPECT_EQ(chunks["chunk"].at("profile").at("samples").at(1).at("stack_id"), 1);
  EXPECT_EQ(chunks["chunk"].at("profile").at("stacks").at(1).at(0), 1);
}

}  // namespace
}  // namespace picket::rest
