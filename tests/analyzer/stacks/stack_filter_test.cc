// Filters of call stacks: which are taken, which frames are left.
#include "analyzer/stacks/stack_filter.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analyzer/stacks/site_book.h"
#include "analyzer/stacks/stack_book.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {
namespace {

using Rules = std::vector<std::pair<std::string, std::string>>;

// main (app) → Parse (libparse.so) → xmalloc (libparse.so) → operator new
class Stacks {
 public:
  explicit Stacks(const Rules& rules) {
    StackFilter filter;
    for (const auto& [word, expression] : rules) {
      const absl::Status status = filter.Add(word, expression);
      EXPECT_TRUE(status.ok()) << status;
    }
    book = std::make_unique<StackBook>(SameLocation::kByText, "", filter);
    const auto call = [&](uint32_t parent, const char* module, const char* function,
                          const char* file) {
      Frame frame;
      frame.function = function;
      frame.file = file;
      frame.line = 7;
      return book->Child(parent, book->AddLocation(book->AddModule(module, ""),
                                                   16 * ++offset_, {frame}));
    };
    uint32_t node = call(0, "/opt/app", "main", "/src/main.cc");
    node = call(node, "/opt/libparse.so", "Parse(int)", "/src/parse.cc");
    node = call(node, "/opt/libparse.so", "xmalloc", "/src/util.c");
    whole = call(node, "/lib/libstdc++.so.6", "operator new(unsigned long)", "");
    other = call(call(0, "/opt/app", "main", "/src/main.cc"), "/opt/app", "Draw()",
                 "/src/draw.cc");
  }

  // The functions shown, from the user's own outwards; "-": the stack is not taken.
  std::string Text(uint32_t node) const {
    if (!book->Selects(node)) return "-";
    std::vector<std::string> names;
    for (StackCursor at(*book, node); !at.AtRoot(); at.Next())
      names.push_back(book->frame(at.frame().frame).function);
    const ShownStack list = StackOf(*book, node, Fold::kPlumbing);
    EXPECT_EQ(list.frames.size() - list.folded, names.size());
    return absl::StrJoin(names, " ");
  }

  std::unique_ptr<StackBook> book;
  uint32_t whole = 0, other = 0;

 private:
  uint64_t offset_ = 0;
};

std::string Both(const Rules& rules) {
  const Stacks stacks(rules);
  return absl::StrCat(stacks.Text(stacks.whole), " | ", stacks.Text(stacks.other));
}

TEST(StackFilter, PprofsWords) {
  EXPECT_EQ(Both({}), "xmalloc Parse(int) main | Draw() main");
  EXPECT_EQ(Both({{"focus", "Parse"}}), "xmalloc Parse(int) main | -");
  EXPECT_EQ(Both({{"ignore", "Parse"}}), "- | Draw() main");
  EXPECT_EQ(Both({{"hide", "^xmalloc$"}}), "Parse(int) main | Draw() main");
  EXPECT_EQ(Both({{"show", "Parse|new"}}), "Parse(int) | -");
  EXPECT_EQ(Both({{"module", "libparse"}}), "xmalloc Parse(int) main | -");
}

TEST(StackFilter, LooksAtFilesAndModules) {
  EXPECT_EQ(Both({{"focus", "draw\\.cc"}}), "- | Draw() main");
  EXPECT_EQ(Both({{"focus", "libparse"}}), "xmalloc Parse(int) main | -");
  EXPECT_EQ(Both({{"hide", "/src/util"}}), "Parse(int) main | Draw() main");
}

TEST(StackFilter, Together) {
  // Each of several will do; hidden frames still focus.
  EXPECT_EQ(Both({{"focus", "Parse"}, {"focus", "Draw"}}),
            "xmalloc Parse(int) main | Draw() main");
  EXPECT_EQ(Both({{"focus", "xmalloc"}, {"hide", "xmalloc"}}),
            "Parse(int) main | -");
  EXPECT_EQ(Both({{"focus", "main"}, {"ignore", "Draw"}}),
            "xmalloc Parse(int) main | -");
  EXPECT_EQ(Both({{"show", "main|Draw"}, {"hide", "main"}}), "- | Draw()");
  // Whose the call site is depends on what is hidden.
  EXPECT_EQ(Both({{"module", "/app$"}, {"hide", "libparse"}}),
            "main | Draw() main");
}

TEST(StackFilter, SitesWithoutHiddenFramesAreOne) {
  const Stacks stacks(Rules{{"hide", "Draw|Parse|xmalloc"}});
  const StackCursor one(*stacks.book, stacks.whole),
      two(*stacks.book, stacks.other);
  EXPECT_EQ(one.frame().frame, two.frame().frame);
}

TEST(StackFilter, Files) {
  StackFilter filter;
  ASSERT_TRUE(
      filter.AddRules("# wrappers\n\n  hide ^x(re)?alloc$ \r\nfocus a b\n", "rules")
          .ok());
  EXPECT_EQ(filter.Rules(), (Rules{{"hide", "^x(re)?alloc$"}, {"focus", "a b"}}));
  const auto fails = [](absl::string_view text) {
    StackFilter broken;
    const absl::Status status = broken.AddRules(text, "my.rules");
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_TRUE(absl::StartsWith(fails("hide\n"), "my.rules:1: "));
  EXPECT_TRUE(
      absl::StartsWith(fails("\nhides x\n"), "my.rules:2: no rule \"hides\""));
  EXPECT_TRUE(absl::StrContains(fails("hide ("), "no regular expression"));
}

}  // namespace
}  // namespace mallogram
