// What free text finds: issues and events by their frames, chains, messages, URLs and users.
#include "issue_fixture.h"

#include "api/digest/issue_texts.h"
#include "buffer/keys.h"

#include <array>
#include <random>

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

TEST_F(FreeText, ConditionsOnFramesTakeThatPartOfThem) {
  trace("Alpha", R"({"function":"handle_order","module":"shop.orders","filename":"src/shop/orders.py","in_app":true},)"
                 R"({"function":"Cart.add","module":"com.acme.Cart","filename":"Cart.java","in_app":true},)"
                 R"({"function":"urlopen","filename":"urllib3/pool.py","in_app":false})");
  trace("Beta", R"__({"function":"operator new(unsigned long)","in_app":true},{"function":"render page","abs_path":"/srv/my app/page.js","in_app":true})__");
  receive(R"({"message":"no stack at all"})");
  digest();
  const Titles alpha{"Alpha"};
  const Titles beta{"Beta"};
  for (const auto* text : {"stack.function:handle_order", "stack.function:HANDLE_ORDER", "stack.function:handle*", "stack.function:*order", "stack.function:Cart.add",
                           "stack.filename:src/shop/orders.py", "stack.filename:*orders.py", "stack.filename:Cart.java", "stack.module:shop.orders",
                           "stack.module:com.acme.Cart", "stack.module:com.acme.*", "stack.abs_path:/home/me/src/shop/orders.py",
                           "stack.abs_path:*/orders.py", "stack.abs_path:*/src/shop/orders.py", "stack.function:[handle_order,nothing]",
                           "stack.function:handle_order+stack.filename:Cart.java", "!stack.filename:*page.js+has:stack.function"}) {
    EXPECT_EQ(found(text), alpha) << text;
  }
  for (const auto* text : {"stack.function:%22operator+new(unsigned+long)%22", "stack.function:operator*", "stack.function:%22render+page%22",
                           "stack.filename:*page.js", "stack.filename:%22/srv/my+app/page.js%22", "stack.abs_path:%22/srv/my+app/page.js%22"}) {
    EXPECT_EQ(found(text), beta) << text;
  }
  for (const auto* text : {"stack.function:order", "stack.function:orders.py", "stack.function:*orders.py", "stack.function:urlopen", "stack.filename:orders.py",
                           "stack.filename:handle_order", "stack.filename:*handle_order*", "stack.module:handle_order", "stack.abs_path:/home/me/orders.py",
                           "stack.abs_path:*/shop/cart.py", "stack.function:nowhere"}) {
    EXPECT_EQ(found(text), Titles{}) << text;
  }
  EXPECT_EQ(found("!has:stack.function"), Titles{"no stack at all"});
  EXPECT_EQ(found("!stack.function:handle_order"), (Titles{"no stack at all", "Beta"}));
  EXPECT_EQ(found("stack.function:handle_order+OR+no"), (Titles{"no stack at all", "Alpha"}));
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
  for (const auto* text : {"stack.function:settle_invoice", "stack.function:SETTLE*", "stack.filename:*card.py", "stack.abs_path:/srv/billing/ledger.py",
                           "stack.function:[settle_invoice,nothing]", "!stack.function:main", "has:stack.function+!stack.filename:run.py",
                           "stack.function:settle_invoice+stack.filename:billing/card.py", "!has:stack.function+OR+stack.function:charge"}) {
    EXPECT_EQ(events_found(text), 1U) << text;
  }
  EXPECT_EQ(events_found("has:stack.function"), 2U);
  EXPECT_EQ(events_found("stack.function:settle_invoice+OR+stack.function:main"), 2U);
  for (const auto* text : {"stack.function:settle", "stack.function:ledger.py", "!has:stack.function", "stack.function:charge+stack.function:main", "stack.module:nowhere"})
    EXPECT_EQ(events_found(text), 0U) << text;
  EXPECT_EQ(get(project_path("events/?query=settle_invoice")).json.as_array().size(), 1U);
  EXPECT_EQ(get(project_path("events/?query=margaret")).json.as_array().size(), 1U);
  EXPECT_EQ(get(organization_path("issues/2/events/?query=settle_invoice")).json.as_array().size(), 0U);
}

digest::TextSequences sequences_of(std::string_view text) {
  const std::string pieces[] = {std::string(text)};
  return digest::TextSequences(pieces);
}
std::string signature_of(const std::string& text) {
  schema::IssueTexts texts;
  texts.set_frames(text);
  return digest::signature_of(texts);
}

// Whatever part of a text is asked for: its signature never denies it.
TEST(TextSignatures, HoldEveryPartOfTheirTexts) {
  const std::string text = "settle_invoice billing/ledger.py\nh\xc3\xbc\xff\x01 z\n";
  const auto signature = signature_of(text);
  for (std::size_t from = 0; from < text.size(); ++from) {
    for (std::size_t size = 0; from + size <= text.size(); ++size) {
      const auto part = sequences_of(std::string_view(text).substr(from, size));
      EXPECT_TRUE(part.may_be_in(signature));
      EXPECT_EQ(part.empty(), size < 3);
    }
  }
  EXPECT_FALSE(sequences_of("checkout_summary").may_be_in(signature));
  EXPECT_FALSE(sequences_of("settle").may_be_in("damaged"));
  EXPECT_FALSE(sequences_of("settle").may_be_in(""));
}

// The more an issue has to say the longer its signature, which so denies what is not there.
TEST(TextSignatures, SeldomHoldWhatIsNotThere) {
  std::mt19937 random(1);
  const auto word = [&] {
    std::string letters(6, ' ');
    for (auto& letter : letters) letter = static_cast<char>('a' + random() % 26);
    return letters;
  };
  for (const int words : {1, 20, 60}) {
    std::string text;
    for (int i = 0; i < words; ++i) text += word() + ' ';
    const auto signature = signature_of(text);
    EXPECT_LE(signature.size(), 256U);
    int held = 0;
    for (int i = 0; i < 10'000; ++i) held += static_cast<int>(sequences_of(word()).may_be_in(signature));
    EXPECT_LT(held, 400) << words << " words in " << signature.size() << " bytes";
  }
}

// As they were stored when every signature had 64 bytes: bit 0 is the last of the first eight bytes.
TEST(TextSignatures, OfSixtyFourBytesAreReadAsTheyWereWritten) {
  const auto spread = [](std::string_view three) {
    std::uint32_t letters = 0;
    for (const char c : three) letters = letters << 8 | static_cast<unsigned char>(c);
    return letters * 2'654'435'769U >> 23;
  };
  std::array<std::uint64_t, 8> words{};
  for (const auto* three : {"set", "ett", "ttl", "tle"}) words[spread(three) / 64] |= std::uint64_t{1} << (spread(three) % 64);
  buffer::Key stored;
  for (const auto each : words) stored.u64(each);
  EXPECT_TRUE(sequences_of("settle").may_be_in(stored.view()));
  EXPECT_FALSE(sequences_of("settled").may_be_in(stored.view()));
}

}  // namespace
}  // namespace picket::rest
