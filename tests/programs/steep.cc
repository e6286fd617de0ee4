// steep N [--steep]: N blocks of 4000 bytes, and an index of N words; with --steep
// one of N² bits.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace {

[[gnu::noinline]] std::vector<std::unique_ptr<char[]>> MakeBlocks(size_t count) {
  std::vector<std::unique_ptr<char[]>> blocks;
  blocks.reserve(count);
  for (size_t i = 0; i < count; ++i)
    blocks.push_back(std::make_unique<char[]>(4000));
  return blocks;
}

[[gnu::noinline]] std::unique_ptr<char[]> MakeIndex(size_t count, bool steep) {
  return std::make_unique<char[]>(steep ? count * count / 8 + 1 : count * 8);
}

}  // namespace

int main(int argc, char** argv) {
  const size_t count = argc > 1 ? strtoul(argv[1], nullptr, 10) : 1;
  const bool steep = argc > 2 && strcmp(argv[2], "--steep") == 0;
  const auto blocks = MakeBlocks(count);
  const auto index = MakeIndex(count, steep);
  printf("{\"blocks\": %zu, \"first\": %d}\n", blocks.size(), index[0]);
}
