#include "relay/ingest/stack_text.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::ingest {
namespace {

// "function|module|path:line:column", newest first.
std::vector<std::string> newest_first(std::string_view text) {
  std::vector<std::string> lines;
  const auto frames = parse_stack_text(text);
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    lines.push_back(std::string(frame->function) + "|" + std::string(frame->module) + "|" +
                    std::string(frame->path) + ":" + std::to_string(frame->line) + ":" +
                    std::to_string(frame->column));
  }
  return lines;
}
using Lines = std::vector<std::string>;

TEST(StackText, ReadsJava) {
  EXPECT_EQ(newest_first("java.lang.IllegalStateException: no (really)\n"
                         "\tat shop.Cart.add(Cart.java:12)\n"
                         "\tat app//shop.Cart$Inner.<init>(Cart.kt:7)\n"
                         "\tat jdk.internal.Reflect.invoke0(Native Method)\n"
                         "\t... 3 more\n"
                         "Caused by: java.io.IOException: disk\n"
                         "\tat shop.Disk.read(Disk.java:99)\n"),
            (Lines{"add|shop.Cart|Cart.java:12:0", "<init>|shop.Cart$Inner|Cart.kt:7:0",
                   "invoke0|jdk.internal.Reflect|:0:0"}));
}

TEST(StackText, ReadsNode) {
  EXPECT_EQ(newest_first("TypeError: x is not a function\n"
                         "    at add (/app/cart.js:12:7)\n"
                         "    at async Cart.total (file:///app/cart.mjs:3:1)\n"
                         "    at /app/main.js:1:2\n"
                         "    at Array.map (<anonymous>)\n"
                         "    at node:internal/process/task_queues:95:5\r\n"),
            (Lines{"add||/app/cart.js:12:7", "Cart.total||file:///app/cart.mjs:3:1",
                   "||/app/main.js:1:2", "Array.map||<anonymous>:0:0",
                   "||node:internal/process/task_queues:95:5"}));
}

TEST(StackText, ReadsFirefoxAndSafari) {
  EXPECT_EQ(newest_first("add@https://shop.example/cart.js:12:7\n@https://shop.example/main.js:1:2\n"),
            (Lines{"add||https://shop.example/cart.js:12:7", "||https://shop.example/main.js:1:2"}));
}

TEST(StackText, ReadsDotNet) {
  EXPECT_EQ(newest_first("System.InvalidOperationException: no\r\n"
                         "   at Shop.Cart.Add(Int32 n) in C:\\src\\Cart.cs:line 12\r\n"
                         "   at Shop.Cart..ctor()\r\n"),
            (Lines{"Add|Shop.Cart|C:\\src\\Cart.cs:12:0", "ctor|Shop.Cart|:0:0"}));
}

TEST(StackText, ReadsPythonWithItsSource) {
  const auto frames = parse_stack_text(
      "Traceback (most recent call last):\n"
      "  File \"/app/disk.py\", line 1, in read\n"
      "OSError: disk\n\n"
      "The above exception was the direct cause of the following exception:\n\n"
      "Traceback (most recent call last):\n"
      "  File \"/app/main.py\", line 3, in <module>\n"
      "    main()\n"
      "  File \"/app/cart.py\", line 12, in add\n"
      "    raise ValueError(n)\n"
      "ValueError: 7\n");
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].function, "<module>");
  EXPECT_EQ(frames[0].source, "main()");
  EXPECT_EQ(frames[1].path, "/app/cart.py");
  EXPECT_EQ(frames[1].line, 12U);
  EXPECT_EQ(frames[1].source, "raise ValueError(n)");
}

TEST(StackText, ReadsRuby) {
  EXPECT_EQ(newest_first("/app/cart.rb:12:in `add': no (RuntimeError)\n"
                         "\tfrom /app/main.rb:3:in 'Object#main'\n"),
            (Lines{"add||/app/cart.rb:12:0", "Object#main||/app/main.rb:3:0"}));
}

TEST(StackText, ReadsPhp) {
  EXPECT_EQ(newest_first("#0 /app/cart.php(12): Cart->add(Array)\n"
                         "#1 [internal function]: map()\n#2 {main}\n"),
            (Lines{"Cart->add||/app/cart.php:12:0", "map||:0:0", "{main}||:0:0"}));
}

TEST(StackText, ReadsGo) {
  EXPECT_EQ(newest_first("goroutine 1 [running]:\n"
                         "example.com/shop/cart.(*Cart).Add(0xc000012345, 0x1)\n"
                         "\t/app/cart/cart.go:12 +0x1d\n"
                         "main.main()\n"
                         "\t/app/main.go:3 +0x20\n"
                         "created by main.start in goroutine 1\n"
                         "\t/app/main.go:9 +0x20\n"),
            (Lines{"(*Cart).Add|example.com/shop/cart|/app/cart/cart.go:12:0",
                   "main|main|/app/main.go:3:0", "start|main|/app/main.go:9:0"}));
}

TEST(StackText, FindsNothingInOrdinaryText) {
  for (const std::string_view text :
       {"", "hello", "at", "at ", "at home we sleep", "#", "# a title", "File \"", "from ", "@",
        "a@b.example", "12:30", "Traceback (most recent call last):", ":in `", "(", ")"}) {
    EXPECT_TRUE(parse_stack_text(text).empty()) << text;
  }
}

TEST(StackText, KeepsTheNewest) {
  std::string node;
  std::string python = "Traceback (most recent call last):\n";
  for (int i = 0; i < 1'000; ++i) {
    node += "    at f" + std::to_string(i) + " (/a.js:1:1)\n";
    python += "  File \"/a.py\", line " + std::to_string(i + 1) + ", in f\n";
  }
  ASSERT_EQ(parse_stack_text(node).size(), 250U);
  EXPECT_EQ(parse_stack_text(node).back().function, "f0");
  ASSERT_EQ(parse_stack_text(python).size(), 250U);
  EXPECT_EQ(parse_stack_text(python).back().line, 1'000U);
}

TEST(RenderFrames, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(render_frames(parse_stack_text("at add (/a.js:1:2)\n")),
            R"([{"function":"add","filename":"/a.js","abs_path":"/a.js","lineno":1,"colno":2}])");
  EXPECT_EQ(render_frames({}), "[]");
}

}  // namespace
}  // namespace picket::ingest
