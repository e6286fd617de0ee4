#include "tests/unwinder/harness.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "preload/modules.h"
#include "preload/unwinder/rules.h"

namespace mallogram {

// The image's, which is not linked here: all chunks are there.
bool MakeNode(ImageTables*, uint32_t) { return true; }
bool MakeModule(ImageTables*, uint32_t) { return true; }
bool MakeString(ImageTables*, uint32_t) { return true; }

}  // namespace mallogram

namespace mallogram::testing {
namespace {

constexpr uint32_t kNodes = 1u << 23, kModules = 512, kStrings = 1 << 20;

void* Map(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) abort();
  return p;
}

struct World {
  ImageHeader* header;
  ImageTables tables;
  StackTable table{};

  World() {
    header = static_cast<ImageHeader*>(Map(sizeof(ImageHeader)));
    header->max_nodes = kNodes;
    header->node_count = kFirstNode;
    header->max_modules = kModules;
    header->strings_bytes = kStrings;
    header->strings_used = 1;
    tables.header = header;
    tables.modules.SetWhole(
        static_cast<ModuleSlot*>(Map(sizeof(ModuleSlot) * kModules)));
    tables.strings.SetWhole(static_cast<char*>(Map(kStrings)));
    tables.nodes.SetWhole(static_cast<StackNode*>(Map(sizeof(StackNode) * kNodes)));
    InitModules(&tables, ForgetCode);
    table.Init(&tables);
  }
};

World& TheWorld() {
  static World* world = new World;
  return *world;
}

using BacktraceFunction = int (*)(void**, int);

BacktraceFunction LibunwindBacktrace() {
  static BacktraceFunction function = [] {
    void* library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      fprintf(stderr, "%s\n", dlerror());
      abort();
    }
    return reinterpret_cast<BacktraceFunction>(dlsym(library, "unw_backtrace"));
  }();
  return function;
}

Pcs From(void* const* begin, int count, uint64_t caller_pc) {
  int i = 0;
  while (i < count && reinterpret_cast<uint64_t>(begin[i]) != caller_pc) ++i;
  Pcs pcs;
  for (; i < count; ++i) pcs.push_back(reinterpret_cast<uint64_t>(begin[i]));
  return pcs;
}

}  // namespace

StackTable* Table() { return &TheWorld().table; }
ImageHeader* Header() { return TheWorld().header; }
ModuleSlot* Modules() { return &TheWorld().tables.modules[0]; }
std::string ModulePath(uint32_t index) {
  const ImageTables& tables = TheWorld().tables;
  return &tables.strings[tables.modules[index].path_offset];
}

Pcs PcsOf(uint32_t stack) {
  Pcs pcs;
  bool exact = false;
  while (stack >= kFirstNode) {
    const StackNode& node = Table()->node(stack);
    const uint64_t pc = node.pc - (exact ? 1 : 0);
    pcs.push_back(pc);
    exact = LookupRule(pc).kind() == Rule::kSignal;
    stack = node.parent;
  }
  return pcs;
}

uint32_t RootOf(uint32_t stack) {
  while (stack >= kFirstNode) stack = Table()->node(stack).parent;
  return stack;
}

Pcs OracleFrom(uint64_t caller_pc, int limit) {
  thread_local std::vector<void*>* buffer = new std::vector<void*>;
  buffer->resize(static_cast<size_t>(limit));
  const int count = LibunwindBacktrace()(buffer->data(), limit);
  return From(buffer->data(), count, caller_pc);
}

Pcs BacktraceFrom(uint64_t caller_pc) {
  std::vector<void*> buffer(1 << 12);
  const int count = backtrace(buffer.data(), static_cast<int>(buffer.size()));
  return From(buffer.data(), count, caller_pc);
}

std::string Describe(const Pcs& ours, const Pcs& theirs) {
  std::string out = "frames: ours " + std::to_string(ours.size()) + ", oracle " +
                    std::to_string(theirs.size()) + "\n";
  size_t at = 0;
  while (at < ours.size() && at < theirs.size() && ours[at] == theirs[at]) ++at;
  const auto name = [](uint64_t pc) {
    Dl_info info;
    char text[300];
    if (dladdr(reinterpret_cast<void*>(pc - 1), &info) != 0) {
      snprintf(text, sizeof(text), "%lx %s %s", pc, info.dli_fname,
               info.dli_sname != nullptr ? info.dli_sname : "?");
    } else {
      snprintf(text, sizeof(text), "%lx ?", pc);
    }
    return std::string(text);
  };
  for (size_t i = at < 3 ? 0 : at - 3; i < at + 4; ++i) {
    out += "  #" + std::to_string(i) + "\n";
    if (i < ours.size()) out += "    ours   " + name(ours[i]) + "\n";
    if (i < theirs.size()) out += "    oracle " + name(theirs[i]) + "\n";
  }
  return out;
}

uint32_t PlainWalk(const CallerState& caller) {
  thread_local Walker plain{};
  // An empty memo matches nothing.
  auto** memo = reinterpret_cast<WalkerMemo**>(&plain);
  if (*memo != nullptr) (*memo)->count = 0;
  return plain.Walk(caller, 0, Table());
}

void Checker::Check() {
  const CallerState caller = TEST_CALLER_STATE();
  ++walks;
  last = walker.Walk(caller, 0, Table());
  std::string difference;
  if (use_plain) {
    const uint32_t plain = PlainWalk(caller);
    if (plain != last) {
      difference = "memoized walk differs from plain walk\n" +
                   Describe(PcsOf(last), PcsOf(plain));
    }
  }
  if (oracle != Oracle::kNone && difference.empty()) {
    const Pcs ours = PcsOf(last);
    const Pcs theirs =
        oracle == Oracle::kGlibc ? BacktraceFrom(caller.pc) : OracleFrom(caller.pc);
    if (ours != theirs)
      difference = "differs from the oracle\n" + Describe(ours, theirs);
  }
  if (!difference.empty() && ++differences == 1) first_difference = difference;
  asm volatile("" ::: "memory");  // no tail calls: this frame stays
}

void PlantStaleMemo(Walker* walker) {
  WalkerMemo* memo = *reinterpret_cast<WalkerMemo**>(walker);
  for (uint32_t i = 0; memo->count != 0 && i <= memo->count; ++i)
    memo->trunk.frames[i].slots = 1;
  for (uint32_t i = 0; memo->twigs != nullptr && i < kTwigs; ++i) {
    memo->twigs[i].slot_count = 0;
    memo->twigs[i].slots[0] = kBarrier;
  }
}

}  // namespace mallogram::testing
