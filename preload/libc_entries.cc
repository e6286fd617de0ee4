#include "preload/libc_entries.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>

#include "preload/dynamic.h"
#include "preload/errno_guard.h"
#include "preload/may_call.h"
#include "preload/real.h"
#include "preload/sys.h"

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

struct Entry {
  const char* name;
  void* ours;
  void* real;  // nullptr: not called by us
};

template <typename F>
void* Address(F* function) {
  return reinterpret_cast<void*>(function);
}

// At most that many at once; without the first ones nothing is done.
constexpr int kMaxEntries = 18, kRequired = 4;

// Read-only data of its own segment, as every linker of today lays it out. False:
// not so, hands off.
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
  const KeepErrno keep;
  void* const p = __libc_memalign(alignment, size);
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

// Every entry's function, or none. What libc has not is passed over, but for the
// required ones.
bool Point(const dl_find_object& libc, const Entry* entries, int count) {
  const uint64_t bias = libc.dlfo_link_map->l_addr;
  const DynamicSection dynamic(libc.dlfo_link_map);
  Elf64_Sym* symbols[kMaxEntries] = {};
  uint64_t first = ~uint64_t{0}, last = 0;
  for (int i = 0; i < count; ++i) {
    const Elf64_Sym* const found = dynamic.Find(entries[i].name);
    if (found == nullptr || ELF64_ST_TYPE(found->st_info) != STT_FUNC) {
      if (i < kRequired) return false;
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
  for (int i = 0; i < count; ++i) {
    if (symbols[i] == nullptr) continue;
    // One store: another thread may look it up just now.
    __atomic_store_n(&symbols[i]->st_value,
                     reinterpret_cast<uint64_t>(entries[i].ours) - bias,
                     __ATOMIC_RELEASE);
  }
  sys::Call(SYS_mprotect, from, bytes, PROT_READ);
  return true;
}

template <int kCount>
bool Point(const dl_find_object& libc, const Entry (&entries)[kCount]) {
  static_assert(kRequired <= kCount && kCount <= kMaxEntries);
  return Point(libc, entries, kCount);
}

// With an allocator behind us a deep-bound module is still libc's customer: its
// calls go to glibc's own names, which are recorded and end in libc.
bool PointLibcAtItself(const dl_find_object& libc) {
  const Entry entries[] = {
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

bool PointLibcAtUs(const dl_find_object& libc) {
  const Entry entries[] = {
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

}  // namespace

bool PointLibcEntries() {
  dl_find_object libc;
  const auto find = [&libc](void* (*function)(size_t)) {
    return _dl_find_object(Address(function), &libc) == 0;
  };
  if (!MayCall()) return false;
  if (LibcIsBehind()) return find(g_real.malloc) && PointLibcAtUs(libc);
  return LibcHasItsNames() && find(g_original.libc_malloc) &&
         PointLibcAtItself(libc);
}

}  // namespace mallogram
