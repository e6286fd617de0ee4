#include "preload/exit_function.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

namespace mallogram {

constinit CodeRange g_exit_function = {}, g_libc_code = {};

void RememberExit() {
  void* const found = dlsym(RTLD_NEXT, "exit");
  Dl_info info;
  ElfW(Sym)* symbol = nullptr;
  if (found == nullptr ||
      dladdr1(found, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) ==
          0 ||
      symbol == nullptr) {
    return;
  }
  const auto start = reinterpret_cast<uint64_t>(found);
  g_exit_function = {start, start + symbol->st_size};
  dl_find_object libc;
  if (_dl_find_object(found, &libc) != 0) return;
  g_libc_code = {reinterpret_cast<uint64_t>(libc.dlfo_map_start),
                 reinterpret_cast<uint64_t>(libc.dlfo_map_end)};
}

}  // namespace mallogram
