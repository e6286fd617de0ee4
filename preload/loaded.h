// Which loaded module an address lies in, and where this library lies itself. No
// lock, no allocation (_dl_find_object, glibc 2.35).
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <cstdint>

// Where this library begins and ends, by the linker.
extern "C" {
[[gnu::visibility("hidden")]] extern const char __ehdr_start, _end;
}

namespace mallogram {

// nullptr: none.
inline const link_map* ModuleOf(const void* address) {
  dl_find_object found;
  return _dl_find_object(const_cast<void*>(address), &found) == 0
             ? found.dlfo_link_map
             : nullptr;
}

inline uint64_t LibraryStart() { return reinterpret_cast<uint64_t>(&__ehdr_start); }
inline uint64_t LibraryEnd() { return reinterpret_cast<uint64_t>(&_end); }
inline bool IsInLibrary(uint64_t address) {
  return address - LibraryStart() < LibraryEnd() - LibraryStart();
}
inline const link_map* LibraryModule() { return ModuleOf(&__ehdr_start); }

}  // namespace mallogram
