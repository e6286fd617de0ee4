#include "preload/bypass.h"

#include <dlfcn.h>
#include <link.h>

#include <initializer_list>

#include "preload/dynamic.h"
#include "preload/errno_guard.h"
#include "preload/libc_entries.h"
#include "preload/loaded.h"
#include "preload/modules.h"
#include "preload/real.h"
#include "preload/recorder.h"
#include "preload/text.h"

namespace mallogram {
namespace {

// True of the process and its forked children, whatever their images.
Bypass g_bypasses[kMaxBypasses];
std::atomic<uint32_t> g_bypass_count;
std::atomic<uint32_t> g_global_loads, g_unloads;
std::atomic<bool> g_deep_bound, g_operators_elsewhere;

enum Pointed : int { kNotYet, kUnderWay, kDone, kRefused };
std::atomic<int> g_pointed;

// True: libc's entries are ours.
bool EnsurePointed() {
  constexpr int kPatience = 1 << 20;  // a fork may have left the other one behind
  int state = kNotYet;
  if (g_pointed.compare_exchange_strong(state, kUnderWay)) {
    state = PointLibcEntries() ? kDone : kRefused;
    g_pointed.store(state, std::memory_order_release);
  }
  for (int i = 0; state == kUnderWay && i < kPatience; ++i) {
    __builtin_ia32_pause();
    state = g_pointed.load(std::memory_order_acquire);
  }
  return state == kDone;
}

// ---- what is told -----------------------------------------------------------

// The end of a long path: the name is what tells.
void CopyPath(const char* path, char (&out)[Bypass::kPathBytes]) {
  const size_t bytes = Length(path);
  if (bytes >= Bypass::kPathBytes) path += bytes - (Bypass::kPathBytes - 1);
  CopyText(path, out);
}

void Publish(ImageHeader* header) {
  const uint32_t count = g_bypass_count.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count && i < kMaxBypasses; ++i) {
    const uint32_t kind = g_bypasses[i].kind.load(std::memory_order_acquire);
    if (kind == Bypass::kNone) continue;  // another thread is at it, and publishes
    __builtin_memcpy(header->bypasses[i].path, g_bypasses[i].path,
                     sizeof(g_bypasses[i].path));
    header->bypasses[i].kind.store(kind, std::memory_order_release);
  }
  header->bypass_count.store(count, std::memory_order_release);
}

void Remember(Bypass::Kind kind, const char* path) {
  char text[Bypass::kPathBytes];
  CopyPath(path, text);
  const uint32_t count = g_bypass_count.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count && i < kMaxBypasses; ++i) {
    if (g_bypasses[i].kind.load(std::memory_order_acquire) == kind &&
        SameText(g_bypasses[i].path, text)) {
      return;
    }
  }
  const uint32_t at = g_bypass_count.fetch_add(1, std::memory_order_acq_rel);
  if (at >= kMaxBypasses) return;
  __builtin_memcpy(g_bypasses[at].path, text, sizeof(text));
  g_bypasses[at].kind.store(kind, std::memory_order_release);
}

// REQUIRES: not in the recorder.
void Tell(Bypass::Kind kind, const char* file) {
  const KeepErrno keep;
  Remember(kind, file);
  // The image is only sure to be there for who may record; who may not has its
  // bypass published with the next one, or in the set-up.
  if (ThreadState* const s = Enter()) {
    Publish(g_recorder.header);
    Leave(s);
  }
}

// ---- modules that frames lie in ----------------------------------------------

bool IsOperator(const char* name) {
  return StartsWith(name, "_Znw") || StartsWith(name, "_Zna") ||
         StartsWith(name, "_Zdl") || StartsWith(name, "_Zda");
}

// Which operators the module's calls end in can't be told: it defines some, or was
// bound to some behind our back.
bool AreKindsUnsure(const DynamicSection& dynamic, const dl_find_object& module) {
  for (const char* name : {"_Znwm", "_Znam", "_ZdlPv", "_ZdaPv"}) {
    if (dynamic.Find(name) != nullptr) return true;
  }
  const auto start = reinterpret_cast<uint64_t>(module.dlfo_map_start);
  const auto end = reinterpret_cast<uint64_t>(module.dlfo_map_end);
  const bool deep = g_deep_bound.load(std::memory_order_relaxed);
  return dynamic.AnyImport([&](const char* name, const uint64_t* slot) {
    if (!IsOperator(name) || IsInLibrary(*slot)) return false;
    const bool bound = *slot - start >= end - start;
    return bound || deep;
  });
}

// In the midst of a walk, perhaps in a signal handler.
void LookAtModule(const dl_find_object& module, ModuleSlot* slot) {
  const link_map* const map = module.dlfo_link_map;
  const bool executable = map->l_name[0] == 0;
  if (executable || IsInLibrary(reinterpret_cast<uint64_t>(module.dlfo_map_start)))
    return;
  const DynamicSection dynamic(map);
  if (g_recorder.mismatches && AreKindsUnsure(dynamic, module)) {
    slot->kinds_unsure = 1;
    const char* const name = BaseName(map->l_name);
    if (!StartsWith(name, "libstdc++.so") && !StartsWith(name, "libc++"))
      g_operators_elsewhere.store(true, std::memory_order_relaxed);
  }
  if (!LibcIsBehind() || dynamic.Find("malloc") == nullptr) return;
  const link_map* const libc =
      ModuleOf(reinterpret_cast<const void*>(g_real.malloc));
  if (libc == nullptr || libc == map) return;
  Remember(Bypass::kOwnMalloc, map->l_name);
  Publish(g_recorder.header);
}

}  // namespace

void BeforeLoad(const char* file, int mode) {
  if (file == nullptr) return;  // the program itself
  const bool loads = (mode & RTLD_NOLOAD) == 0;
  if (!loads && !StartsWith(BaseName(file), "libc.so")) return;
  const bool deep = loads && (mode & RTLD_DEEPBIND) != 0;
  const bool pointed = (deep || LibcIsBehind()) && EnsurePointed();
  if ((mode & RTLD_GLOBAL) != 0)
    g_global_loads.fetch_add(1, std::memory_order_release);
  if (!deep) return;
  g_deep_bound.store(true, std::memory_order_relaxed);
  if (!pointed) Tell(Bypass::kDeepBound, file);
}

void BeforeLoadInNamespace(long name_space, const char* file, int mode) {
  if (name_space == LM_ID_BASE || file == nullptr) return BeforeLoad(file, mode);
  Tell(Bypass::kNamespace, file);
}

uint32_t GlobalLoads() { return g_global_loads.load(std::memory_order_acquire); }

bool HasDeepBound() { return g_deep_bound.load(std::memory_order_relaxed); }

bool HasOperatorsElsewhere() {
  return g_operators_elsewhere.load(std::memory_order_relaxed);
}

uint32_t Unloads() { return g_unloads.load(std::memory_order_acquire); }

void AfterUnload() { g_unloads.fetch_add(1, std::memory_order_release); }

void WatchBypasses(ImageHeader* header) {
  SetModuleWatch(&LookAtModule);
  Publish(header);
}

}  // namespace mallogram
