#include "api/query/answer_budget.h"

#include <gtest/gtest.h>

namespace picket::query {
namespace {

TEST(AnswerBudget, IsExhaustedOnceMoreWasTakenThanThereIs) {
  AnswerBudget budget(100);
  EXPECT_TRUE(budget.take(60));
  budget.give_back(50);
  EXPECT_TRUE(budget.take(90));
  EXPECT_FALSE(budget.exhausted());
  EXPECT_FALSE(budget.take(1));
  budget.give_back(100);
  EXPECT_FALSE(budget.take(1)) << "what was cut short stays cut short";
  EXPECT_TRUE(budget.exhausted());
}

TEST(AnswerBudget, NamesItsLimit) {
  EXPECT_NE(AnswerBudget().error().detail.find("64 MB"), std::string::npos);
  EXPECT_EQ(AnswerBudget().error().fault, Fault::too_large);
}

}  // namespace
}  // namespace picket::query
