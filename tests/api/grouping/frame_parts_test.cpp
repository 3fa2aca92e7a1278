#include "api/grouping/frame_parts.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace picket::grouping {
namespace {

Frame of(std::string_view module, std::string_view filename, std::string_view function, std::string_view path = {}) {
  Frame frame;
  frame.module = module;
  frame.filename = filename;
  frame.function = function;
  frame.abs_path = path;
  return frame;
}

// What of a frame counts, with bars in between.
std::string counting(const Frame& frame, std::string_view platform) {
  Arena arena;
  const auto* component = frame_component(arena, frame, platform, frame.function);
  if (!component->contributes) return "-";
  std::string text;
  for (const auto* part = component->first_child; part != nullptr; part = part->next) {
    if (!part->contributes) continue;
    if (!text.empty()) text += '|';
    append_contributing(*part, text);
  }
  return text;
}

TEST(FrameParts, PreferTheModuleToTheFile) {
  EXPECT_EQ(counting(of("shop.cart", "shop/Cart.py", "pay"), "python"), "shop.cart|pay");
  EXPECT_EQ(counting(of("", "shop/Cart.py", "pay"), "python"), "cart.py|pay");
  EXPECT_EQ(counting(of("", "C:\\shop\\Cart.cs", "Pay"), "csharp"), "cart.cs|Pay");
  EXPECT_EQ(counting(of("", "", ""), "python"), "-");
}

TEST(FrameParts, LeaveOutAddressesOfPages) {
  EXPECT_EQ(counting(of("", "app.js", "pay", "https://shop.example/app.js"), "javascript"), "pay");
  EXPECT_EQ(counting(of("", "app.js", "pay", "file:///srv/app.js"), "javascript"), "app.js|pay");
  EXPECT_EQ(counting(of("", "<anonymous>", "pay"), "javascript"), "pay");
  EXPECT_EQ(counting(of("", "[native code]", "pay"), "javascript"), "pay");
  EXPECT_EQ(counting(of("shop/app", "app.js", "pay", "https://x/shop/app"), "javascript"), "pay");
}

TEST(FrameParts, NormaliseGeneratedJava) {
  EXPECT_EQ(counting(of("a.B$$Lambda$12/99", "", "call"), "java"), "call");
  EXPECT_EQ(counting(of("sun.reflect.GeneratedMethodAccessor17", "", "invoke"), "java"),
            "sun.reflect.GeneratedMethodAccessor|invoke");
  EXPECT_EQ(counting(of("sun.reflect.GeneratedConstructorAccessor3", "", "x"), "java"),
            "sun.reflect.GeneratedConstructorAccessor<auto>|x");
  EXPECT_EQ(counting(of("a.B$$EnhancerBySpringCGLIB$$3f2a1b", "", "x"), "java"), "a.B$$EnhancerBySpringCGLIB$$<auto>|x");
  EXPECT_EQ(counting(of("a.B$HibernateProxy$Ab3dE", "", "x"), "java"), "a.B$HibernateProxy$<auto>|x");
  EXPECT_EQ(counting(of("a.B_$$_javassist_seam_3", "", "x"), "java"), "a.B_$$_javassist<auto>|x");
  EXPECT_EQ(counting(of("a.core$fn__123", "", "x"), "java"), "a.core$fn__<auto>|x");
  EXPECT_EQ(counting(of("a.B", "", "lambda$pay$0"), "java"), "a.B");
  EXPECT_EQ(counting(of("a.B$$EnhancerBySpringCGLIB$$3f2a1b", "", "x"), "python"), "a.B$$EnhancerBySpringCGLIB$$3f2a1b|x");
}

TEST(FrameParts, NormaliseRubyAndPhp) {
  EXPECT_EQ(counting(of("m", "", "block in pay_12"), "ruby"), "m|block");
  EXPECT_EQ(counting(of("m", "", "_app_views_x_html_erb__12345_67890"), "ruby"), "m|_app_views_x_html_erb");
  EXPECT_EQ(counting(of("m", "", "_x__12_67890"), "ruby"), "m|_x__12_67890");
  EXPECT_EQ(counting(of("", "x.php", "class@anonymous /a.php0x7f::run"), "php"), "x.php|run");
  EXPECT_EQ(counting(of("", "x.php", "[Anonymous function]"), "php"), "x.php");
  EXPECT_EQ(counting(of("class@anonymous", "x.php", "f"), "php"), "x.php|f");
}

TEST(FrameParts, AgreeAboutBrowsers) {
  EXPECT_EQ(counting(of("", "a.html", "Object.pay"), "javascript"), "a.html|pay");
  for (const std::string_view unknown : {"?", "<anonymous>", "Anonymous function", "<anonymous function>", "pay/<"})
    EXPECT_EQ(counting(of("", "a.html", unknown), "javascript"), "a.html") << unknown;
  EXPECT_EQ(counting(of("", "a.html", "eval"), "javascript"), "-");
  EXPECT_EQ(counting(of("", "native code", "map", "native code"), "javascript"), "-");
  EXPECT_EQ(counting(of("", "a.py", "eval"), "python"), "a.py|eval");
}

TEST(FrameParts, TakeSourceLinesOfSomePlatforms) {
  auto frame = of("m", "", "f");
  frame.context_line = "  return\t x ;  ";
  EXPECT_EQ(counting(frame, "python"), "m|f|return x ;");
  EXPECT_EQ(counting(frame, "java"), "m|f");
  frame.sourcemap = true;
  EXPECT_EQ(counting(frame, "javascript"), "m|return x ;");
  const std::string long_line(121, 'x');
  frame.context_line = long_line;
  EXPECT_EQ(counting(frame, "javascript"), "m|f");
  frame.platform = "java";
  EXPECT_EQ(counting(frame, "python"), "m|f");
}

TEST(FrameParts, LeaveOutFunctionsThatNobodyKnows) {
  EXPECT_EQ(counting(of("", "a.cpp", "<redacted>"), "native"), "a.cpp");
  EXPECT_EQ(counting(of("", "a.cpp", "<unknown>"), "cocoa"), "a.cpp");
}

}  // namespace
}  // namespace picket::grouping
