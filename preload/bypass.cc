#include "preload/bypass.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>

#include <initializer_list>

#include "preload/dynamic.h"
#include "preload/loaded.h"
#include "preload/may_call.h"
#include "preload/modules.h"
#include "preload/real.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/text.h"

// glibc's, which no header declares; ours are in interpose_libc.cc.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void __libc_free(void* p);
void* __libc_memalign(size_t alignment, size_t size);
void* __libc_valloc(size_t size);
void* __libc_pvalloc(size_t size);
}

namespace mallogram {
namespace {

// True of the process and its forked children, whatever their images.
Bypass g_bypasses[kMaxBypasses];
std::atomic<uint32_t> g_bypass_count;
std::atomic<uint32_t> g_global_loads, g_unloads;
std::atomic<bool> g_deep_bound;

enum Pointed : int { kNotYet, kUnderWay, kDone, kRefused };
std::atomic<int> g_pointed;

// ---- libc's symbol table ----------------------------------------------------

struct Entry {
  const char* name;
  void* ours;
  void* real;  // nullptr: not called by us
};

template <typename F>
void* Address(F* function) {
  return reinterpret_cast<void*>(function);
}

constexpr int kEntries = 18;

// Read-only data of its own segment, as every linker of today lays it out. 0: not
// so, hands off.
bool IsReadOnlyData(const dl_find_object& module, uint64_t start, uint64_t end) {
  const auto base = reinterpret_cast<uint64_t>(module.dlfo_map_start);
  const auto* elf = reinterpret_cast<const Elf64_Ehdr*>(base);
  if (__builtin_memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
      elf->e_phoff + uint64_t{elf->e_phnum} * sizeof(Elf64_Phdr) >
          sys::kPageBytes) {
    return false;
  }
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(base + elf->e_phoff);
  for (int i = 0; i < elf->e_phnum; ++i) {
    const Elf64_Phdr& segment = segments[i];
    const uint64_t from = module.dlfo_link_map->l_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && start >= from &&
        end <= from + segment.p_filesz) {
      return segment.p_flags == PF_R;
    }
  }
  return false;
}

// libc's own, past whatever is preloaded behind us.
int LibcPosixMemalign(void** out, size_t alignment, size_t size) {
  if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0)
    return EINVAL;
  const int saved_errno = errno;
  void* const p = __libc_memalign(alignment, size);
  errno = saved_errno;
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

// With an allocator behind us a deep-bound module is still libc's customer: its
// calls go to glibc's own names, which are recorded and end in libc.
bool PointLibcAtItself(const dl_find_object& libc);

bool Point(const dl_find_object& libc, const Entry (&entries)[kEntries]);

bool PointLibcAtUs() {
  if (!MayCall()) return false;
  dl_find_object libc;
  if (!LibcIsBehind()) {
    return LibcHasItsNames() &&
           _dl_find_object(Address(g_original.libc_malloc), &libc) == 0 &&
           PointLibcAtItself(libc);
  }
  if (_dl_find_object(Address(g_real.malloc), &libc) != 0) return false;
  const Entry entries[kEntries] = {
      {"malloc", Address(&malloc), Address(g_real.malloc)},
      {"calloc", Address(&calloc), Address(g_real.calloc)},
      {"realloc", Address(&realloc), Address(g_real.realloc)},
      {"free", Address(&free), Address(g_real.free)},
      {"reallocarray", Address(&reallocarray), nullptr},
      {"posix_memalign", Address(&posix_memalign), Address(g_real.posix_memalign)},
      {"aligned_alloc", Address(&aligned_alloc), Address(g_real.aligned_alloc)},
      {"memalign", Address(&memalign), Address(g_real.memalign)},
      {"valloc", Address(&valloc), Address(g_real.valloc)},
      {"pvalloc", Address(&pvalloc), Address(g_real.pvalloc)},
      {"malloc_usable_size", Address(&malloc_usable_size),
       Address(g_real.malloc_usable_size)},
      {"__libc_malloc", Address(&__libc_malloc), Address(g_real.libc_malloc)},
      {"__libc_calloc", Address(&__libc_calloc), Address(g_real.libc_calloc)},
      {"__libc_realloc", Address(&__libc_realloc), Address(g_real.libc_realloc)},
      {"__libc_free", Address(&__libc_free), Address(g_real.libc_free)},
      {"__libc_memalign", Address(&__libc_memalign), Address(g_real.libc_memalign)},
      {"__libc_valloc", Address(&__libc_valloc), Address(g_real.libc_valloc)},
      {"__libc_pvalloc", Address(&__libc_pvalloc), Address(g_real.libc_pvalloc)},
  };
  return Point(libc, entries);
}

bool PointLibcAtItself(const dl_find_object& libc) {
  const Entry entries[kEntries] = {
      {"malloc", Address(&__libc_malloc), Address(g_original.libc_malloc)},
      {"calloc", Address(&__libc_calloc), Address(g_original.libc_calloc)},
      {"realloc", Address(&__libc_realloc), Address(g_original.libc_realloc)},
      {"free", Address(&__libc_free), Address(g_original.libc_free)},
      {"memalign", Address(&__libc_memalign), Address(g_original.libc_memalign)},
      {"aligned_alloc", Address(&__libc_memalign), nullptr},
      {"posix_memalign", Address(&LibcPosixMemalign), nullptr},
      {"valloc", Address(&__libc_valloc), Address(g_original.libc_valloc)},
      {"pvalloc", Address(&__libc_pvalloc), Address(g_original.libc_pvalloc)},
  };
  return Point(libc, entries);
}

// Every entry's function, or none. A name that libc has not is passed over.
bool Point(const dl_find_object& libc, const Entry (&entries)[kEntries]) {
  const uint64_t bias = libc.dlfo_link_map->l_addr;
  const DynamicSection dynamic(libc.dlfo_link_map);
  Elf64_Sym* symbols[kEntries] = {};
  uint64_t first = ~uint64_t{0}, last = 0;
  for (int i = 0; i < kEntries; ++i) {
    if (entries[i].name == nullptr) continue;
    const Elf64_Sym* const found = dynamic.Find(entries[i].name);
    if (found == nullptr || ELF64_ST_TYPE(found->st_info) != STT_FUNC) {
      if (i < 4) return false;
      continue;
    }
    const auto real = reinterpret_cast<uint64_t>(entries[i].real);
    if (real != 0 && bias + found->st_value != real) return false;
    symbols[i] = const_cast<Elf64_Sym*>(found);
    const auto at = reinterpret_cast<uint64_t>(found);
    first = at < first ? at : first;
    last = at + sizeof(*found) > last ? at + sizeof(*found) : last;
  }
  if (!IsReadOnlyData(libc, first, last)) return false;
  constexpr uint64_t kPage = sys::kPageBytes;
  const auto from = static_cast<long>(first & ~(kPage - 1));
  const auto bytes = static_cast<long>((last + kPage - 1) & ~(kPage - 1)) - from;
  if (sys::Call(SYS_mprotect, from, bytes, PROT_READ | PROT_WRITE) != 0)
    return false;
  for (int i = 0; i < kEntries; ++i) {
    if (symbols[i] == nullptr) continue;
    // One store: another thread may look it up just now.
    __atomic_store_n(&symbols[i]->st_value,
                     reinterpret_cast<uint64_t>(entries[i].ours) - bias,
                     __ATOMIC_RELEASE);
  }
  sys::Call(SYS_mprotect, from, bytes, PROT_READ);
  return true;
}

// True: libc's entries are ours.
bool EnsurePointed() {
  constexpr int kPatience = 1 << 20;  // a fork may have left the other one behind
  int state = kNotYet;
  if (g_pointed.compare_exchange_strong(state, kUnderWay)) {
    state = PointLibcAtUs() ? kDone : kRefused;
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
  const int saved_errno = errno;
  Remember(kind, file);
  // The image is only sure to be there for who may record; who may not has its
  // bypass published with the next one, or in the set-up.
  if (ThreadState* const s = Enter()) {
    Publish(g_recorder.header);
    Leave(s);
  }
  errno = saved_errno;
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
  if (g_recorder.mismatches && AreKindsUnsure(dynamic, module))
    slot->kinds_unsure = 1;
  if (!LibcIsBehind() || dynamic.Find("malloc") == nullptr) return;
  const link_map* const libc = ModuleOf(Address(g_real.malloc));
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

uint32_t Unloads() { return g_unloads.load(std::memory_order_acquire); }

void AfterUnload() { g_unloads.fetch_add(1, std::memory_order_release); }

void WatchBypasses(ImageHeader* header) {
  SetModuleWatch(&LookAtModule);
  Publish(header);
}

}  // namespace mallogram
