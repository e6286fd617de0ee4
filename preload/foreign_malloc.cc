#include "preload/foreign_malloc.h"

#include <dlfcn.h>

#include <atomic>
#include <initializer_list>

#include "preload/environment.h"
#include "preload/loaded.h"
#include "preload/program_file.h"

// Of the runtimes that bring a malloc, resolved by the loader: a search that fails
// would allocate words about that from the program's heap. As in kRuntimeSymbols.
extern "C" {
[[gnu::weak]] void __asan_init();
[[gnu::weak]] void __hwasan_init();
[[gnu::weak]] void __tsan_init();
[[gnu::weak]] void __msan_init();
[[gnu::weak]] void __memprof_init();
[[gnu::weak]] void __dfsan_set_label();
[[gnu::weak]] void __rtsan_init();
[[gnu::weak]] void __nsan_init();
[[gnu::weak]] void __tysan_init();
[[gnu::weak]] void __lsan_init();
}

namespace mallogram {
namespace {

using Function = void (*)();

// A forked child must not ask again: the loader's lock may have been held by a
// thread that it has not got.
enum Known : int { kUnknown, kNo, kYes };
std::atomic<int> g_known;

bool IsInExecutable(void* found) {
  const link_map* const module = ModuleOf(found);
  return module != nullptr && module->l_name[0] == 0;
}

bool Look() {
  if (IsUnderValgrind(ProgramEnvironment())) return true;
  // Wherever such a runtime is, it is the only one to serve malloc. LeakSanitizer's
  // library alone is an allocator like others.
  for (const Function runtime :
       {&__asan_init, &__hwasan_init, &__tsan_init, &__msan_init, &__memprof_init,
        &__dfsan_set_label, &__rtsan_init, &__nsan_init, &__tysan_init}) {
    if (runtime != nullptr) return true;
  }
  return IsInExecutable(dlsym(RTLD_DEFAULT, "malloc")) &&
         (IsInExecutable(reinterpret_cast<void*>(&__lsan_init)) ||
          IsInExecutable(dlsym(RTLD_DEFAULT, kTakenByRuntimes)));
}

}  // namespace

bool HasForeignMalloc() {
  int known = g_known.load(std::memory_order_acquire);
  if (known == kUnknown) {
    known = Look() ? kYes : kNo;
    g_known.store(known, std::memory_order_release);
  }
  return known == kYes;
}

}  // namespace mallogram
