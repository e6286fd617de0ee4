// Suppressions in both syntaxes: what each rule matches and what it just misses;
// and the names of containers.
#include "analyzer/leaks/suppressions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/leaks/container.h"

namespace mallogram {
namespace {

// One record with this call stack, innermost first:
//   __GI___strdup                         libc.so.6
//   ns::Copy(char const*)  copy.cc:12     libapp.so
//   (unknown)                             libstripped.so
//   main                   main.cc:3      app
class Names : public StackBook {
 public:
  Names() : StackBook(SameLocation::kByAddress) {
    const auto frame = [](std::string function, std::string file, uint32_t line,
                          std::string symbol) {
      Frame made;
      made.function = std::move(function);
      made.file = std::move(file);
      made.line = line;
      made.symbol = std::move(symbol);
      return std::vector<Frame>{made};
    };
    uint32_t node = 0;
    const auto call = [&](const char* module, const std::vector<Frame>& frames) {
      node = Child(node, AddLocation(AddModule(module, ""), 0x10 * node, frames));
    };
    call("/opt/app", frame("main", "/src/main.cc", 3, ""));
    call("/opt/libstripped.so", {Frame()});
    call("/opt/libapp.so",
         frame("ns::Copy(char const*)", "/src/copy.cc", 12, "_ZN2ns4CopyEPKc"));
    call("/lib/libc.so.6", frame("__GI___strdup", "", 0, ""));
  }
};

LeakDocument SomeDocument(LeakKind kind) {
  LeakDocument document;
  document.processes.resize(1);
  LeakRecord record;
  record.kind = kind;
  record.node = 7;
  record.blocks = 1;
  record.bytes = 8;
  record.reason.root.name = "kept_";
  document.records.push_back(record);
  return document;
}

bool Hits(const std::string& text, LeakKind kind = LeakKind::kDefinite) {
  SuppressionSet set;
  const absl::Status status = set.Add(text, "x.supp", false);
  EXPECT_TRUE(status.ok()) << status;
  LeakDocument document = SomeDocument(kind);
  const Names book;
  ApplySuppressions(set, book, &document);
  return document.records[0].suppressed();
}

bool BlockHits(const std::string& frames, LeakKind kind = LeakKind::kDefinite) {
  return Hits(absl::StrCat("{\n  a name\n  Memcheck:Leak\n", frames, "\n}\n"),
              kind);
}

TEST(LeakSuppressions, LsanPatterns) {
  EXPECT_TRUE(Hits("leak:ns::Copy"));
  EXPECT_TRUE(Hits("leak:opy"));  // anywhere in a name
  EXPECT_FALSE(Hits("leak:ns::Copies"));
  EXPECT_TRUE(Hits("leak:copy.cc"));  // of a file
  EXPECT_FALSE(Hits("leak:copy.h"));
  EXPECT_TRUE(Hits("leak:libstripped.so"));  // of a module
  EXPECT_FALSE(Hits("leak:libstrapped.so"));
  EXPECT_TRUE(Hits("leak:^main$"));
  EXPECT_FALSE(Hits("leak:^mai$"));
  EXPECT_FALSE(Hits("leak:^ain"));
  EXPECT_TRUE(Hits("leak:ns::Copy$"));  // without the arguments, too
  EXPECT_TRUE(Hits("leak:ns*char"));
  EXPECT_FALSE(Hits("leak:ns*double"));
  EXPECT_TRUE(Hits("# comment\n\n  leak:main  \n"));
  EXPECT_FALSE(Hits("#leak:main\n"));
}

TEST(LeakSuppressions, AnchorsAfterRepeatedText) {
  EXPECT_TRUE(MatchesPart("oo$", "foofoo"));
  EXPECT_TRUE(MatchesPart("^a*b$", "aXbXb"));
  EXPECT_FALSE(MatchesPart("^a*b$", "aXbXc"));
  EXPECT_TRUE(MatchesPart("*", ""));
  EXPECT_TRUE(MatchesWhole("a?c*", "abc"));
  EXPECT_FALSE(MatchesWhole("a?c", "ac"));
  EXPECT_FALSE(MatchesWhole("bc", "abc"));
}

TEST(LeakSuppressions, ValgrindFrames) {
  EXPECT_TRUE(BlockHits("fun:strdup"));
  EXPECT_FALSE(BlockHits("fun:strdu"));
  EXPECT_TRUE(BlockHits("fun:malloc\nfun:strdup"));  // Valgrind's innermost frame
  EXPECT_TRUE(BlockHits("fun:*alloc\nfun:strdup\nfun:_ZN2ns4CopyEPKc"));
  EXPECT_FALSE(BlockHits("fun:mallow\nfun:strdup"));
  EXPECT_TRUE(BlockHits("fun:strdup\nfun:_ZN2ns4Copy*"));
  EXPECT_TRUE(BlockHits("fun:strdup\nfun:ns::Copy"));  // demangled
  EXPECT_FALSE(BlockHits("fun:strdup\nfun:_ZN2ns5CopyE*"));
  // From the innermost on, without a gap.
  EXPECT_FALSE(BlockHits("fun:main"));
  EXPECT_FALSE(BlockHits("fun:strdup\nfun:main"));
  EXPECT_TRUE(BlockHits("fun:strdup\n...\nfun:main"));
  EXPECT_TRUE(BlockHits("...\nfun:main"));
  EXPECT_FALSE(BlockHits("...\nfun:main\nfun:strdup"));
  EXPECT_TRUE(BlockHits("...\nobj:*/libstripped.so\nfun:main"));
  EXPECT_FALSE(BlockHits("...\nobj:libstripped.so\nfun:main"));
  EXPECT_TRUE(BlockHits("...\nfun:\?\?\?\nfun:main"));  // what has no name
  EXPECT_TRUE(BlockHits("fun:strdup\nsrc:copy.cc:12"));
  EXPECT_TRUE(BlockHits("fun:strdup\nsrc:/src/*.cc:1?"));
  EXPECT_FALSE(BlockHits("fun:strdup\nsrc:copy.cc:13"));
  EXPECT_TRUE(BlockHits("fun:strdup\n..."));
  // More frames than there are.
  EXPECT_FALSE(BlockHits("...\nfun:main\nfun:*"));
}

TEST(LeakSuppressions, ValgrindKinds) {
  EXPECT_TRUE(BlockHits("match-leak-kinds: definite,possible\nfun:strdup"));
  EXPECT_FALSE(BlockHits("match-leak-kinds: possible\nfun:strdup"));
  EXPECT_TRUE(BlockHits("match-leak-kinds:all\nfun:strdup", LeakKind::kPossible));
  EXPECT_TRUE(
      BlockHits("match-leak-kinds: reachable\nfun:strdup", LeakKind::kReachable));
  EXPECT_TRUE(
      BlockHits("match-leak-kinds: reachable\nfun:strdup", LeakKind::kGrowth));
  EXPECT_FALSE(BlockHits("match-leak-kinds: indirect\nfun:strdup"));
}

TEST(LeakSuppressions, Root) {
  EXPECT_TRUE(BlockHits("root:kept_", LeakKind::kReachable));
  EXPECT_TRUE(BlockHits("root:kept?\nfun:strdup", LeakKind::kReachable));
  EXPECT_FALSE(BlockHits("root:kept", LeakKind::kReachable));
  EXPECT_FALSE(BlockHits("root:kept_\nfun:main", LeakKind::kReachable));
}

TEST(LeakSuppressions, OtherToolsAndErrorsAreSkipped) {
  const std::string other =
      "{\n one\n Memcheck:Cond\n fun:strdup\n}\n"
      "{\n two\n Helgrind:Race\n fun:strdup\n}\n"
      "{\n three\n Memcheck:Param\n write(buf)\n fun:strdup\n}\n";
  EXPECT_FALSE(Hits(other));
  EXPECT_TRUE(
      Hits(absl::StrCat(other, "{\n four\n A,Memcheck:Leak\n fun:strdup\n}\n")));
}

TEST(LeakSuppressions, MixedFile) {
  EXPECT_TRUE(Hits("{\n n\n Memcheck:Leak\n fun:nothing\n}\nleak:main\n"));
  EXPECT_TRUE(Hits("leak:nothing\n{\n n\n Memcheck:Leak\n fun:strdup\n}\n"));
}

TEST(LeakSuppressions, MistakesNameTheirLine) {
  const std::pair<const char*, const char*> kMistakes[] = {
      {"leak:ok\nrace:main\n", "x.supp:2: expected leak:PATTERN or {"},
      {"\nleak:\n", "x.supp:2: leak: needs a pattern"},
      {"{\n name\n Memcheck:Leak\n fun:x\n", "x.supp:1: this { has no }"},
      {"{\n}\n", "x.supp:2: a suppression needs a name"},
      {"{\n name\n}\n", "x.supp:3: expected Memcheck:Leak"},
      {"{\n name\n Memcheck:Leak\n}\n", "x.supp:4: a suppression needs a frame"},
      {"{\n name\n Memcheck:Leak\n func:x\n}\n", "x.supp:4: expected fun:, obj:"},
      {"{\n name\n Memcheck:Leak\n fun:\n}\n", "x.supp:4: fun: needs a pattern"},
      {"{\n n\n Memcheck:Leak\n match-leak-kinds: lost\n}\n",
       "x.supp:4: no kind of leak: \"lost\""}};
  for (const auto& [text, message] : kMistakes) {
    SuppressionSet set;
    const absl::Status status = set.Add(text, "x.supp", false);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_TRUE(absl::StartsWith(status.message(), message)) << status.message();
  }
}

TEST(LeakSuppressions, BuiltInOnesHideNoLostBlock) {
  SuppressionSet set;
  ASSERT_TRUE(set.Add(kBuiltInSuppressions, "built-in", true).ok());
  EXPECT_GE(set.all().size(), 10u);
  for (const Suppression& suppression : set.all()) {
    // The loader aligns its tables by hand.
    const bool loader = absl::StartsWith(suppression.name, "ld.so: ");
    EXPECT_EQ(suppression.kinds, SetOf(LeakKind::kReachable) |
                                     SetOf(LeakKind::kUnclassified) |
                                     (loader ? SetOf(LeakKind::kPossible) : 0))
        << suppression.name;
    EXPECT_TRUE(suppression.built_in);
  }
}

TEST(LeakSuppressions, FreesThatDoNotFit) {
  const auto hits = [](const std::string& frames) {
    LeakDocument document = SomeDocument(LeakKind::kDefinite);
    MismatchView mismatch;
    mismatch.freed = 7;
    document.mismatches.push_back(mismatch);
    SuppressionSet set;
    EXPECT_TRUE(set.Add(absl::StrCat("{\n n\n Memcheck:Free\n", frames, "\n}\n"),
                        "x", false)
                    .ok());
    const Names book;
    ApplySuppressions(set, book, &document);
    EXPECT_FALSE(document.records[0].suppressed());  // leaks are another matter
    return document.mismatches[0].suppression != kNoSuppression;
  };
  EXPECT_TRUE(hits("fun:free\nfun:strdup"));
  EXPECT_TRUE(hits("fun:_ZdlPv*\nfun:strdup\n...\nfun:main"));
  EXPECT_FALSE(hits("fun:malloc\nfun:strdup"));
  EXPECT_FALSE(hits("fun:free\nfun:main"));
}

TEST(LeakSuppressions, IndirectGoesWithItsHead) {
  LeakDocument document = SomeDocument(LeakKind::kDefinite);
  LeakRecord indirect;
  indirect.kind = LeakKind::kIndirect;
  indirect.node = 4;
  indirect.blocks = 2;
  indirect.bytes = 20;
  indirect.reason.head = 7;
  document.records.push_back(indirect);
  SuppressionSet set;
  ASSERT_TRUE(set.Add("leak:strdup", "x.supp", false).ok());
  const Names book;
  ApplySuppressions(set, book, &document);
  EXPECT_TRUE(document.records[1].suppressed());
  EXPECT_EQ(document.processes[0].suppressed.bytes, 28u);
  EXPECT_EQ(document.suppressions[0].amount.records, 2u);
  EXPECT_EQ(document.processes[0].sums[0].blocks, 0u);
}

TEST(LeakContainers, ByTheNamesOfTheirFunctions) {
  const std::pair<const char*, const char*> kNames[] = {
      {"std::_Rb_tree<int, std::pair<int const, X>, std::_Select1st<std::pair<int "
       "const, X> >, std::less<int> >::_M_get_node()",
       "a node of std::map"},
      {"std::_Rb_tree<int, int, std::_Identity<int>, std::less<int> "
       ">::_M_get_node()",
       "a node of std::set"},
      {"std::__new_allocator<std::_List_node<int> >::allocate(unsigned long)",
       "a node of std::list"},
      {"std::_Vector_base<int, std::allocator<int> >::_M_allocate(unsigned long)",
       "the elements of a std::vector"},
      {"std::__cxx11::basic_string<char>::_M_create(unsigned long&, unsigned long)",
       "the characters of a std::string"},
      {"std::__new_allocator<std::_Sp_counted_ptr_inplace<X, std::allocator<void> "
       "> "
       ">::allocate(unsigned long)",
       "an object of std::make_shared"},
      {"std::_Deque_base<int, std::allocator<int> >::_M_initialize_map(unsigned "
       "long)",
       "the map of a std::deque"},
      {"operator new(unsigned long)", ""},
      {"main", ""}};
  for (const auto& [function, container] : kNames)
    EXPECT_EQ(ContainerOfFunction(function), container) << function;
}

}  // namespace
}  // namespace mallogram
