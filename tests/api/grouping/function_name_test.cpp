#include "api/grouping/function_name.h"

#include <gtest/gtest.h>

#include <string_view>

namespace picket::grouping {
namespace {

struct Name {
  std::string_view name;
  std::string_view want;
};
class NativeName : public ::testing::TestWithParam<Name> {};

TEST_P(NativeName, IsTrimmed) {
  EXPECT_EQ(trimmed_function(GetParam().name, "native"), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Cpp,
    NativeName,
    ::testing::Values(Name{"main", "main"},
                      Name{"", ""},
                      Name{"int shop::pay(int, char const*)", "shop::pay"},
                      Name{"std::vector<int, std::allocator<int> > shop::list<int>(bool) const", "shop::list<T>"},
                      Name{"shop::Cart::total() const &", "shop::Cart::total"},
                      Name{"(anonymous namespace)::start(int)", "(anonymous namespace)::start"},
                      Name{"`anonymous namespace'::start", "`anonymous namespace'::start"},
                      Name{"?A0x0123abcd::run(int)", "`anonymous namespace'::run"},
                      Name{"shop::operator<<(std::ostream&, Cart)", "shop::operator<<"},
                      Name{"bool shop::operator<(Cart, Cart)", "shop::operator<"},
                      Name{"shop::Pay::operator()(int) const", "shop::Pay::operator()"},
                      Name{"shop::run()::$_3::operator()() const", "shop::run::lambda::operator()"},
                      Name{"<lambda_0123456789abcdef0123456789abcdef>::operator()(int)", "<lambda>::operator()"},
                      Name{"shop::{lambda(int)#2}::operator()", "shop::lambda::operator()"},
                      Name{"_pay@8", "_pay"},
                      Name{"unclosed<int", "unclosed"}));

INSTANTIATE_TEST_SUITE_P(
    Others,
    NativeName,
    ::testing::Values(Name{"<shop::Cart<T> as core::iter::Iterator>::next", "shop::Cart<T>::next"},
                      Name{"<T as core::convert::Into<U>>::into", "core::convert::Into<T>::into"},
                      Name{"shop::pay::h0123456789abcdef", "shop::pay"},
                      Name{"shop::pay::{{closure}}", "shop::pay::{{closure}}"},
                      Name{"@objc Shop.pay(_: Swift.Int) -> Swift.Bool", "Shop.pay"},
                      Name{"-[Cart pay:with:]", "-[Cart pay:with:]"},
                      Name{"__41-[Cart pay]_block_invoke", "__41-[Cart pay]_block_invoke"},
                      Name{"<redacted>", "<redacted>"},
                      Name{"<unknown>", "<unknown>"}));

TEST(FunctionName, OfManagedCodeLosesItsArguments) {
  EXPECT_EQ(trimmed_function("Shop.Cart.Pay (System.Int32 sum)", "csharp"), "Shop.Cart.Pay");
}

TEST(FunctionName, OfOtherPlatformsStays) {
  EXPECT_EQ(trimmed_function("pay(int) const", "python"), "pay(int) const");
  EXPECT_EQ(trimmed_function("Cart.<anonymous>", "javascript"), "Cart.<anonymous>");
}

TEST(FunctionName, SurvivesWhatIsNoName) {
  const std::string deep(2000, '<');
  EXPECT_NO_THROW(trimmed_function(deep + std::string(2000, '>'), "native"));
  EXPECT_NO_THROW(trimmed_function(std::string(4000, '('), "native"));
  EXPECT_NO_THROW(trimmed_function(" -> ", "native"));
}

}  // namespace
}  // namespace picket::grouping
