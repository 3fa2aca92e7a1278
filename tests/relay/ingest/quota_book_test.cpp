#include "relay/ingest/project_settings.h"
#include "relay/ingest/quota_book.h"

#include <gtest/gtest.h>

namespace picket::ingest {
namespace {

using std::chrono::seconds;
using enum relay::DataCategory;

const Time start = time_from_ms(1'700'000'000'000);

filter::Quota quota(std::string id,
                    std::vector<relay::DataCategory> categories,
                    std::uint64_t limit,
                    filter::Scope scope = filter::Scope::project) {
  filter::Quota made;
  made.id = std::move(id);
  made.categories = std::move(categories);
  made.limit = limit;
  made.scope = scope;
  made.window = seconds(10);
  made.reason = made.id + "_reason";
  return made;
}

Sender sender(std::vector<filter::Quota> quotas, relay::ProjectId project = 1, char key = 'a') {
  auto settings = std::make_shared<ProjectSettings>();
  settings->project = project;
  settings->organization = 9;
  settings->quotas = std::move(quotas);
  Sender made;
  made.key.hex = std::string(32, key);
  made.project = project;
  made.settings = std::move(settings);
  return made;
}

const Asked one_error[] = {{error, 1}};

TEST(QuotaBook, LetsInAsMuchAsFitsAndSaysWhenMoreWill) {
  QuotaBook book;
  const auto who = sender({quota("q", {error}, 2)});
  EXPECT_FALSE(book.admit(who, one_error, start));
  EXPECT_FALSE(book.admit(who, one_error, start));
  EXPECT_TRUE(book.active(who, start).empty());
  const auto refused = book.admit(who, one_error, start);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->reason, "q_reason");
  EXPECT_EQ(refused->scope, "project");
  EXPECT_EQ(refused->categories, std::vector{error});
  EXPECT_EQ(book.active(who, start).size(), 1U);
  EXPECT_FALSE(book.admit(who, one_error, refused->until));
  EXPECT_TRUE(book.active(who, refused->until).empty());
}

TEST(QuotaBook, ALimitOfZeroLetsNothingInAndNeedsNoCounter) {
  QuotaBook book;
  const auto who = sender({quota("q", {}, 0)});
  const auto refused = book.admit(who, one_error, start);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->all);
  EXPECT_EQ(refused->until, start + seconds(60));
  EXPECT_EQ(book.active(who, start).size(), 1U) << "told before anything comes";
  EXPECT_EQ(book.size(), 0U);
}

TEST(QuotaBook, CountsNothingUnderOneQuotaWhenAnotherRefuses) {
  QuotaBook book;
  const auto who = sender({quota("wide", {error, transaction}, 3), quota("narrow", {error}, 1)});
  const Asked one_transaction[] = {{transaction, 1}};
  EXPECT_FALSE(book.admit(who, one_error, start));
  EXPECT_TRUE(book.admit(who, one_error, start));
  EXPECT_TRUE(book.admit(who, one_error, start));
  EXPECT_FALSE(book.admit(who, one_transaction, start));
  EXPECT_FALSE(book.admit(who, one_transaction, start));
  EXPECT_TRUE(book.admit(who, one_transaction, start));
}

TEST(QuotaBook, CountsScopesTogetherAndApart) {
  QuotaBook book;
  for (const auto scope :
       {filter::Scope::organization, filter::Scope::project, filter::Scope::key}) {
    const auto id = std::string(filter::wire_name(scope));
    const auto a = sender({quota(id, {error}, 1, scope)}, 1, 'a');
    const auto same_project = sender({quota(id, {error}, 1, scope)}, 1, 'b');
    const auto other_project = sender({quota(id, {error}, 1, scope)}, 2, 'c');
    EXPECT_FALSE(book.admit(a, one_error, start)) << id;
    EXPECT_EQ(book.admit(same_project, one_error, start).has_value(), scope != filter::Scope::key);
    EXPECT_EQ(book.admit(other_project, one_error, start).has_value(),
              scope == filter::Scope::organization);
  }
}

TEST(QuotaBook, CountsBytesOfAttachmentsAndItemsOfEverything) {
  QuotaBook book;
  const Asked file[] = {{attachment, 1'000}, {attachment_item, 1}};
  const auto bytes = sender({quota("bytes", {attachment}, 2'500)});
  EXPECT_FALSE(book.admit(bytes, file, start));
  EXPECT_FALSE(book.admit(bytes, file, start));
  EXPECT_TRUE(book.admit(bytes, file, start));
  const auto files = sender({quota("files", {attachment_item}, 1)});
  EXPECT_FALSE(book.admit(files, file, start));
  EXPECT_TRUE(book.admit(files, file, start));
  const auto all = sender({quota("all", {}, 2)});
  EXPECT_FALSE(book.admit(all, file, start));
  EXPECT_FALSE(book.admit(all, one_error, start));
  EXPECT_TRUE(book.admit(all, one_error, start));
}

TEST(QuotaBook, AppliesAKeysOwnLimit) {
  QuotaBook book;
  auto who = sender({});
  who.key_quota = std::make_shared<filter::Quota>(quota("key", {error}, 1, filter::Scope::key));
  EXPECT_FALSE(book.admit(who, one_error, start));
  EXPECT_EQ(book.admit(who, one_error, start)->scope, "key");
}

TEST(QuotaBook, ForgetsWhatIsOver) {
  QuotaBook book;
  for (int i = 1; i <= 100; ++i)
    book.admit(sender({quota("q", {error}, 5)}, static_cast<relay::ProjectId>(i)), one_error, start);
  EXPECT_EQ(book.size(), 100U);
  book.forget_idle(start + seconds(15));
  EXPECT_EQ(book.size(), 100U);
  book.forget_idle(start + seconds(21));
  EXPECT_EQ(book.size(), 0U);
}

TEST(QuotaBook, ALimitThatWasRaisedHoldsNobodyBack) {
  QuotaBook book;
  EXPECT_FALSE(book.admit(sender({quota("q", {error}, 1)}), one_error, start));
  EXPECT_TRUE(book.admit(sender({quota("q", {error}, 1)}), one_error, start));
  EXPECT_FALSE(book.admit(sender({quota("q", {error}, 9)}), one_error, start));
  EXPECT_TRUE(book.active(sender({quota("q", {error}, 9)}), start).empty());
}

TEST(QuotaBook, FillsReservoirsByProjectAndRule) {
  QuotaBook book;
  EXPECT_TRUE(book.fill_reservoir(1, 7, 2));
  EXPECT_TRUE(book.fill_reservoir(1, 7, 2));
  EXPECT_FALSE(book.fill_reservoir(1, 7, 2));
  EXPECT_TRUE(book.fill_reservoir(2, 7, 2));
  EXPECT_TRUE(book.fill_reservoir(1, 8, 2));
}

}  // namespace
}  // namespace picket::ingest
