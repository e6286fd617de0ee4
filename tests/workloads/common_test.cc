// What the workloads share: flags, accounts, leak plants, the JSON writer.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/workloads/heap_count.h"
#include "workloads/common/account.h"
#include "workloads/common/flags.h"
#include "workloads/common/json.h"
#include "workloads/common/leaks.h"
#include "workloads/common/random.h"
#include "workloads/common/truth.h"

namespace workloads {
namespace {

struct TestThings {
  static constexpr const char* kName = "test_things";
};

struct FlagValues {
  int64_t count = 7;
  double share = 0.5;
  std::string colour = "red";
  bool on = false;
  std::vector<std::string> many;
};

std::string ParseInto(FlagValues* values, std::vector<const char*> arguments) {
  Flags flags;
  flags.Count("count", &values->count, 1, 100, "");
  flags.Real("share", &values->share, 0, 1, "");
  flags.Choice("colour", &values->colour, {"red", "blue"}, "");
  flags.Switch("on", &values->on, "");
  flags.Repeated("many", &values->many, "");
  arguments.insert(arguments.begin(), "program");
  return flags.Parse(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Flags, TakeBothSpellings) {
  FlagValues values;
  EXPECT_EQ(ParseInto(&values, {"--count", "9", "--share=0.25", "--colour", "blue",
                                "--on", "--many", "a", "--many=b"}),
            "");
  EXPECT_EQ(values.count, 9);
  EXPECT_EQ(values.share, 0.25);
  EXPECT_EQ(values.colour, "blue");
  EXPECT_TRUE(values.on);
  EXPECT_EQ(values.many, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ParseInto(&values, {"--no-on"}), "");
  EXPECT_FALSE(values.on);
  EXPECT_EQ(ParseInto(&values, {"--on=on"}), "");
  EXPECT_TRUE(values.on);
}

TEST(Flags, RefuseInOneLine) {
  const std::vector<std::vector<const char*>> wrong = {
      {"--count", "0"},
      {"--count", "101"},
      {"--count", "1x"},
      {"--count", ""},
      {"--count", "-1"},
      {"--count", "99999999999999999999"},
      {"--count"},
      {"--share", "nan"},
      {"--share", "1.5"},
      {"--share", "x"},
      {"--colour", "grey"},
      {"--on=maybe"},
      {"--no-count"},
      {"--what"},
      {"count"},
      {"-count", "3"},
      {"--"},
      {"--count=5", "extra"}};
  for (const auto& arguments : wrong) {
    FlagValues values;
    const std::string error = ParseInto(&values, arguments);
    EXPECT_NE(error, "") << arguments[0];
    EXPECT_EQ(error.find('\n'), std::string::npos);
    EXPECT_GT(error.size(), 15u);
  }
}

TEST(Account, CountsWhatOperatorNewGives) {
  const Balance before = account_of<TestThings>.balance();
  const int64_t heap = heap_count::live_bytes;
  heap_count::counting = true;
  {
    Text<TestThings> text(100, 'x');
    Array<Text<TestThings>, TestThings> array(10, text);
    HashMap<int, Text<TestThings>, TestThings> map;
    for (int i = 0; i < 100; ++i) map[i] = text;
    const auto object = Make<std::vector<int>, TestThings>();
    const Balance& now = account_of<TestThings>.balance();
    EXPECT_EQ(now.live_bytes - before.live_bytes, heap_count::live_bytes - heap);
    EXPECT_GT(now.live_bytes - before.live_bytes, 11000);
    text.assign(500, 'y');
    array.resize(3);
    EXPECT_EQ(now.live_bytes - before.live_bytes, heap_count::live_bytes - heap);
  }
  heap_count::counting = false;
  EXPECT_EQ(account_of<TestThings>.balance().live_bytes, before.live_bytes);
  EXPECT_EQ(account_of<TestThings>.balance().live_blocks, before.live_blocks);
  EXPECT_EQ(heap_count::live_bytes, heap);
}

TEST(Leaks, AreSpreadEvenlyAndCounted) {
  LeakSite lost("lost-one", LeakKind::kLost, "");
  LeakSite chain("chained", LeakKind::kChain, "");
  LeakSite growing("growing-one", LeakKind::kGrowing, "");
  LeakPlan plan({&lost, &chain, &growing});
  EXPECT_FALSE(lost.Due());
  EXPECT_EQ(plan.Apply("lost-one:0.3"), "");
  EXPECT_EQ(plan.Apply("chained:1"), "");
  EXPECT_EQ(plan.Apply("growing-one:0.001"), "");
  const int64_t blocks = heap_count::live_blocks;
  const int64_t bytes = heap_count::live_bytes;
  heap_count::counting = true;
  for (int i = 0; i < 1000; ++i) {
    if (lost.Due()) lost.Leak("12345");
    if (i < 10 && chain.Due()) chain.LeakChain({"a", "", "ccc"});
    if (growing.Due()) growing.Leak("twelve bytes");
  }
  heap_count::counting = false;
  EXPECT_EQ(lost.leaks(), 300);
  EXPECT_EQ(lost.bytes(), 1500);
  EXPECT_EQ(chain.blocks(), 30);
  EXPECT_EQ(chain.bytes(), 10 * (3 * 8 + 4));
  EXPECT_EQ(growing.leaks(), 1);
  EXPECT_EQ(growing.bytes(), 20);
  EXPECT_EQ(heap_count::live_blocks - blocks, 331);
  EXPECT_EQ(heap_count::live_bytes - bytes, 1500 + 280 + 20);
}

TEST(Leaks, RefuseBadRequests) {
  LeakSite site("site", LeakKind::kLost, "");
  LeakPlan plan({&site});
  for (const char* request : {"", "site", "site:", "site:0", "site:-1", "site:1.01",
                              "site:nan", "site:1x", "other:0.5", ":0.5"}) {
    EXPECT_NE(plan.Apply(request), "") << request;
  }
  EXPECT_EQ(plan.Apply("site:0.5"), "");
  EXPECT_NE(plan.Apply("site:0.5"), "");
}

TEST(JsonWriter, EscapesAndNests) {
  Json json;
  json.String("text", "a\"b\\c\n\xff");
  json.Open("inner");
  json.Close();
  json.OpenList("list");
  json.OpenItem();
  json.Real("third", 1.0 / 3);
  json.Close();
  json.OpenItem();
  json.Boolean("yes", true);
  json.Close();
  json.CloseList();
  json.Integer("n", -5);
  EXPECT_EQ(json.Finish(),
            "{\n  \"text\": \"a\\\"b\\\\c\\u000a\\u00ff\",\n  \"inner\": {},\n"
            "  \"list\": [\n    {\n      \"third\": 0.3333333333333333\n    },\n"
            "    {\n      \"yes\": true\n    }\n  ],\n  \"n\": -5\n}\n");
}

TEST(Phases, RememberTheBalance) {
  Phases phases(false);
  phases.Mark("before");
  Text<TestThings> text(1000, 'x');
  phases.Mark("after");
  EXPECT_EQ(phases.At("after").live_bytes - phases.At("before").live_bytes, 1001);
}

TEST(RandomNumbers, StayInBoundsAndDiffer) {
  Random random(1);
  for (int i = 0; i < 10000; ++i) {
    EXPECT_LT(random.Below(3), 3u);
    const int64_t between = random.Between(-2, 2);
    EXPECT_TRUE(between >= -2 && between <= 2);
    const double real = random.Real();
    EXPECT_TRUE(real >= 0 && real < 1);
  }
  EXPECT_NE(Random(1).Split(1).Next(), Random(1).Split(2).Next());
  // The same on every machine.
  EXPECT_EQ(Random(0).Next(), 0xe220a8397b1dcdafu);
}

}  // namespace
}  // namespace workloads
