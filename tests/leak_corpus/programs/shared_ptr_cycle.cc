// Two objects that share each other: a lost cycle, with all they own. The same with
// a weak pointer back is none.
#include <memory>
#include <vector>

#include "tests/leak_corpus/programs/leak.h"

namespace {

struct Node {
  std::shared_ptr<Node> other;
  std::weak_ptr<Node> weak;
  std::vector<int> numbers;
};

NOINLINE std::shared_ptr<Node> Make() {
  auto node = std::make_shared<Node>();  // LEAK definite 1 block, indirect 1 block
  node->numbers.resize(100);             // LEAK indirect 2 blocks 800 bytes
  return node;
}
NOINLINE std::shared_ptr<Node> MakeWeak() {
  auto node = std::make_shared<Node>();  // LEAK none
  node->numbers.resize(100);             // LEAK none
  return node;
}

NOINLINE void Cycle() {
  auto a = Make(), b = Make();
  a->other = b;
  b->other = a;
}
NOINLINE void NoCycle() {
  auto a = MakeWeak(), b = MakeWeak();
  a->other = b;
  b->weak = a;
}

}  // namespace

int main() {
  Cycle();
  NoCycle();
  ScrubStack();
  return 0;
}
