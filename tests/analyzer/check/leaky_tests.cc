// A test program of which one test leaks: what `mallogram check` is to name.
#include <gtest/gtest.h>
#include <mallogram_gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

struct Node {
  char payload[96];
};
// Taken out of the optimizer's sight.
void* volatile g_sink;

[[gnu::noinline]] Node* MakeNode() { return new Node; }

TEST(Clean, Vector) {
  std::vector<int> numbers(1000, 1);
  EXPECT_EQ(numbers.size(), 1000u);
}

TEST(Nodes, ThatNobodyFreesAreLost) {
  g_sink = MakeNode();
  EXPECT_NE(g_sink, nullptr);
  g_sink = nullptr;
}

TEST(Clean, NodeThatIsFreed) {
  std::unique_ptr<Node> node(MakeNode());
  EXPECT_NE(node, nullptr);
}

// Name of more than a mark's length, twice.
class NodesOfAFixtureWithAVeryLongNameIndeed : public testing::Test {
 protected:
  void TearDown() override { g_sink = nullptr; }
};
TEST_F(NodesOfAFixtureWithAVeryLongNameIndeed, LosesThree) {
  for (int i = 0; i < 3; ++i) g_sink = MakeNode();
}

}  // namespace
