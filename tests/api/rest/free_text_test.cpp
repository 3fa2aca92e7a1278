// What free text finds: issues and events by their frames, chains, messages, URLs and users.
#include "issue_fixture.h"

#include "api/digest/issue_texts.h"

namespace picket::rest {
namespace {

class FreeText : public IssuesTest {
 protected:
  std::string frame(std::string_view function, std::string_view file, std::string_view in_app = "true") {
    return "{\"function\":\"" + std::string(function) + "\",\"filename\":\"" + std::string(file) + "\",\"in_app\":" + std::string(in_app) + "}";
  }
  // An error with these frames, oldest call first.
  std::string trace(std::string_view type, std::string_view frames, std::string_view fields = "") {
    clock_.advance(std::chrono::seconds(1));
    const auto id = receive(R"({"platform":"python","exception":{"values":[{"type":")" + std::string(type) + R"(","value":"went wrong","stacktrace":{"frames":[)" +
                            std::string(frames) + "]}}]}" + std::string(fields) + "}");
    digest();
    return id;
  }
  Titles found(std::string_view text) { return listed("query=" + std::string(text)); }
  std::optional<schema::IssueTexts> texts(std::uint64_t issue) {
    return buffer::find_row<schema::IssueTexts>(tables_->snapshot(), buffer::Table::issue_texts, buffer::Key().u64(issue));
  }
  std::size_t events_found(std::string_view text) {
    const auto answer = get(organization_path("events/?dataset=errors&field=id&query=" + std::string(text)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    return answer["data"].as_array().size();
  }
};

TEST_F(FreeText, ReachesEveryFrameOfTheApplication) {
  trace("Alpha", frame("handle_order", "shop/orders.py") + "," + frame("settle_invoice", "billing/Ledger.py") + "," +
                     frame("urlopen", "urllib3/pool.py", "false") + "," + frame("charge", "billing/card.py"));
  trace("Beta", frame("main", "run.py"));
  for (const auto* text : {"settle_invoice", "SETTLE_INVOICE", "ledger.py", "billing%2Fledger", "handle_order", "orders.py", "ttle_inv",
                           "handle*orders", "%22settle_invoice%20billing%22", "is:unresolved+settle_invoice", "%22settle_invoice%22+%22card.py%22"}) {
    EXPECT_EQ(found(text), Titles{"Alpha"}) << text;
  }
  for (const auto* text : {"urlopen", "pool.py", "settle_refund", "handle*settle*main", "%22settle_invoice%22+%22run.py%22"}) EXPECT_EQ(found(text), Titles{}) << text;
  EXPECT_EQ(found("run.py"), Titles{"Beta"});
  EXPECT_EQ(found("!message:x+(settle_invoice+OR+run.py)"), (Titles{"Beta", "Alpha"}));
}

TEST_F(FreeText, TakesWhatIsNotExcludedWhereNothingIsMarked) {
  trace("Alpha", R"({"function":"outer_call","filename":"a.js"},{"function":"library_call","filename":"b.js","in_app":false},{"function":"top","filename":"c.js"})");
  EXPECT_EQ(found("outer_call"), Titles{"Alpha"});
  EXPECT_EQ(found("library_call"), Titles{});
}

TEST_F(FreeText, ReachesChainsMessagesAddressesAndUsers) {
  receive(R"({"platform":"python","exception":{"values":[{"type":"ReplicaGone","value":"lost db-17 for good"},{"type":"Alpha","value":"no cart"}]},)"
          R"("logentry":{"formatted":"while reconciling baskets"},"request":{"url":"https://shop.example/checkout/summary?step=4"},)"
          R"("user":{"username":"margaret"}})");
  digest();
  error("Beta");
  for (const auto* text : {"replicagone", "db-17", "reconciling", "summary", "shop.example", "margaret", "step=4%2F+OR+reconciling"})
    EXPECT_EQ(found(text), Titles{"Alpha"}) << text;
  EXPECT_EQ(found("margare"), Titles{});  // a name is looked for as a whole
  EXPECT_EQ(found("went"), Titles{"Beta"});
}

TEST_F(FreeText, KeepsWhatEarlierEventsHad) {
  const auto event = [&](std::string_view deep) {
    trace("Alpha", frame(deep, "shop/deep.py") + "," + frame("charge", "shop/card.py"), R"(,"fingerprint":["one"])");
  };
  event("first_way");
  event("second_way");
  event("second_way");
  event("first_way");
  EXPECT_EQ(found("first_way"), Titles{"Alpha"});
  EXPECT_EQ(found("second_way"), Titles{"Alpha"});
  EXPECT_EQ(texts(1)->frames(), "charge shop/card.py\nfirst_way shop/deep.py\nsecond_way shop/deep.py\n");
}

TEST_F(FreeText, AnIssueKeepsABoundedPartOfEndlessVariety) {
  for (int i = 0; i < 400; ++i) {
    const auto number = std::to_string(i);
    receive(R"({"platform":"python","fingerprint":["one"],"request":{"url":"https://shop.example/item/)" + number +
            R"("},"exception":{"values":[{"type":"Cause","value":"number )" + number + R"("},{"type":"Alpha","value":"x","stacktrace":{"frames":[)" +
            frame("step_" + number, "shop/steps.py") + "]}}]}}");
  }
  digest();
  const auto kept = texts(1);
  ASSERT_TRUE(kept);
  EXPECT_LE(kept->frames().size(), 1'536U);
  EXPECT_LE(kept->values().size(), 512U);
  EXPECT_LE(kept->urls().size(), 512U);
  EXPECT_GT(kept->ByteSizeLong(), 2'000U);
  EXPECT_EQ(found("step_3"), Titles{"Alpha"});
  // Its events are found all the same.
  EXPECT_EQ(events_found("%22number+377%22"), 1U);
}

TEST_F(FreeText, GoesWithTheIssueWhenItIsMergedAndDeleted) {
  trace("Alpha", frame("alpha_deep", "a.py") + "," + frame("top", "t.py"));
  trace("Beta", frame("beta_deep", "b.py") + "," + frame("top", "t.py"));
  trace("Alpha", frame("alpha_deep", "a.py") + "," + frame("top", "t.py"));
  ASSERT_EQ(call("PUT", organization_path("issues/?id=1&id=2"), R"({"merge":1})").status, 200U);
  EXPECT_EQ(found("beta_deep"), Titles{"Alpha"});
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::issue_texts), 1U);
  ASSERT_EQ(call("DELETE", organization_path("issues/?id=1")).status, 204U);
  EXPECT_EQ(found("beta_deep"), Titles{});
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::issue_texts), 0U);
}

TEST_F(FreeText, FindsEventsByTheFramesOfTheirIssue) {
  trace("Alpha", frame("settle_invoice", "billing/ledger.py") + "," + frame("charge", "billing/card.py"),
        R"(,"request":{"url":"https://shop.example/cart"},"user":{"username":"margaret","id":"7"})");
  trace("Beta", frame("main", "run.py"));
  for (const auto* text : {"settle_invoice", "ledger.py", "cart", "margaret", "alpha"}) EXPECT_EQ(events_found(text), 1U) << text;
  EXPECT_EQ(events_found("settle_refund"), 0U);
  EXPECT_EQ(get(project_path("events/?query=settle_invoice")).json.as_array().size(), 1U);
  EXPECT_EQ(get(project_path("events/?query=margaret")).json.as_array().size(), 1U);
  EXPECT_EQ(get(organization_path("issues/2/events/?query=settle_invoice")).json.as_array().size(), 0U);
}

// Whatever part of a text is asked for: its signature never denies it.
TEST(TextSignatures, HoldEveryPartOfTheirTexts) {
  const std::string text = "settle_invoice billing/ledger.py\nh\xc3\xbc\xff\x01 z\n";
  digest::TextSignature whole;
  whole.add(text);
  for (std::size_t from = 0; from < text.size(); ++from) {
    for (std::size_t size = 0; from + size <= text.size(); ++size) {
      digest::TextSignature part;
      part.add(std::string_view(text).substr(from, size));
      EXPECT_TRUE(whole.may_hold(part));
      EXPECT_EQ(part.empty(), size < 3);
    }
  }
  EXPECT_TRUE(digest::TextSignature(whole.render()).may_hold(whole));
  EXPECT_TRUE(whole.may_hold(digest::TextSignature(whole.render())));
  digest::TextSignature other;
  other.add("checkout_summary");
  EXPECT_FALSE(whole.may_hold(other));
  EXPECT_TRUE(digest::TextSignature("damaged").empty());
}

}  // namespace
}  // namespace picket::rest
