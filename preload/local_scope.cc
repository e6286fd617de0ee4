// A module's local scope is that of the module which was opened when it came:
// itself and all that it needs, breadth first. The loader lists modules as they
// came, so that one is the first of the list that needs ours.
#include "preload/local_scope.h"

#include <link.h>

#include <atomic>

#include "preload/bypass.h"
#include "preload/dynamic.h"
#include "preload/loaded.h"
#include "preload/sys.h"
#include "preload/text.h"

namespace mallogram {
namespace {

constexpr int kMaxModules = 4096;
constexpr int kCached = 128;

struct Listed {
  uint64_t bias;
  const Elf64_Dyn* dynamic;
  const char* path;
};

// Mapped for one search: too large for a coroutine's stack.
struct Search {
  int count;
  Listed modules[kMaxModules];
  int scope_count;
  int scope[kMaxModules];
  bool in_scope[kMaxModules];

  bool Reaches(int from, int to);
};

// An answer that is kept. A reader takes it if `module` and `unloads` are what it
// asks for before and after; a writer claims it by kBusy.
struct Answer {
  std::atomic<uint64_t> module;   // its link map; 0: none
  std::atomic<uint32_t> unloads;  // of when it was found out
  LocalFunction functions[kMaxLocalNames];
};
constexpr uint64_t kBusy = 1;
Answer g_answers[kCached];

int List(dl_phdr_info* info, size_t, void* data) {
  auto* const search = static_cast<Search*>(data);
  if (search->count == kMaxModules) return 1;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const uint64_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    search->modules[search->count++] = {
        info->dlpi_addr, reinterpret_cast<const Elf64_Dyn*>(at), info->dlpi_name};
  }
  return 0;
}

// Fills the scope of `from`. True: `to` is in it.
bool Search::Reaches(int from, int to) {
  for (int i = 0; i < count; ++i) in_scope[i] = false;
  scope[0] = from;
  scope_count = 1;
  in_scope[from] = true;
  for (int at = 0; at < scope_count; ++at) {
    const Listed& module = modules[scope[at]];
    DynamicSection(module.bias, module.dynamic).EachNeeded([&](const char* needed) {
      for (int i = 0; i < count; ++i) {
        const Listed& other = modules[i];
        const char* const name = DynamicSection(other.bias, other.dynamic).Name();
        if ((name == nullptr || !SameText(name, needed)) &&
            !SameText(BaseName(other.path), BaseName(needed))) {
          continue;
        }
        if (!in_scope[i]) scope[scope_count++] = i;
        in_scope[i] = true;
        return;
      }
    });
  }
  return in_scope[to];
}

void LookUp(const link_map* module, const char* const* names, int count,
            LocalFunction* functions) {
  auto* const search = static_cast<Search*>(sys::MapPrivate(sizeof(Search)));
  if (search == nullptr) return;
  dl_iterate_phdr(&List, search);
  int own = -1;
  for (int i = 0; i < search->count; ++i) {
    if (search->modules[i].dynamic == module->l_ld) own = i;
  }
  // The program and what came with it have the global scope alone.
  int root = 1;
  while (root < own && !search->Reaches(root, own)) ++root;
  if (own >= 0) search->Reaches(root < own ? root : own, own);
  for (int name = 0; name < count; ++name) {
    for (int at = 0; at < search->scope_count; ++at) {
      const Listed& definer = search->modules[search->scope[at]];
      const DynamicSection dynamic(definer.bias, definer.dynamic);
      const Elf64_Sym* const found = dynamic.Find(names[name]);
      if (found == nullptr) continue;
      const char* const soname = dynamic.Name();
      functions[name] = {reinterpret_cast<void*>(definer.bias + found->st_value),
                         soname != nullptr && (StartsWith(soname, "libstdc++.so") ||
                                               StartsWith(soname, "libc++"))};
      break;
    }
  }
  sys::Unmap(search, sizeof(Search));
}

}  // namespace

LocalFunction FindLocal(uint64_t pc, const char* const* names, int count,
                        int index) {
  const link_map* const map = ModuleOf(reinterpret_cast<const void*>(pc - 1));
  if (map == nullptr) return {};
  const auto module = reinterpret_cast<uint64_t>(map);
  const uint32_t unloads = Unloads();
  static_assert(kCached == 1 << 7);
  Answer* const answer = &g_answers[module * 0x9e3779b97f4a7c15u >> 57];
  uint64_t known = answer->module.load(std::memory_order_acquire);
  if (known == module &&
      answer->unloads.load(std::memory_order_acquire) == unloads) {
    const LocalFunction function = answer->functions[index];
    std::atomic_thread_fence(std::memory_order_acquire);
    if (answer->module.load(std::memory_order_relaxed) == module &&
        answer->unloads.load(std::memory_order_relaxed) == unloads) {
      return function;
    }
  }
  LocalFunction functions[kMaxLocalNames] = {};
  LookUp(map, names, count, functions);
  if (known != kBusy && answer->module.compare_exchange_strong(known, kBusy)) {
    std::atomic_thread_fence(std::memory_order_release);
    for (int i = 0; i < count; ++i) answer->functions[i] = functions[i];
    answer->unloads.store(unloads, std::memory_order_release);
    answer->module.store(module, std::memory_order_release);
  }
  return functions[index];
}

}  // namespace mallogram
