// A plug-in, built several times with another PLUGIN name each (Alpha, Beta): same
// code at the same offsets under another function name. It throws through its
// own frames; the host need not know C++.
#include <dlfcn.h>
#include <stdlib.h>

#include <stdexcept>

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define SITE_NAME PASTE(Site, PLUGIN)

extern "C" {
// Only here for the report to find; the host calls PluginRun.
[[gnu::noinline, gnu::visibility("default")]] void* SITE_NAME(size_t size);
[[gnu::visibility("default")]] int PluginRun(void** kept, int rounds);
[[gnu::visibility("default")]] void* PluginOpen(const char* name);

void* SITE_NAME(size_t size) {
  void* p = malloc(size);
  asm volatile("" : "+r"(p) : : "memory");
  return p;
}

// Apart, because an exception is allocated too.
[[gnu::noinline]] static void Throw(const char* what) {
  throw std::runtime_error(what);
}

// `rounds` blocks of 100 bytes, the last one kept; one of 13 bytes that is lost
// with an exception. Returns what the exception said, in length.
int PluginRun(void** kept, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    *kept = SITE_NAME(100);
    if (i + 1 < rounds) free(*kept);
  }
  try {
    SITE_NAME(13);
    Throw("thirteen");
  } catch (const std::runtime_error& error) {
    int length = 0;
    for (const char* c = error.what(); *c != 0; ++c) ++length;
    return length;
  }
  return -1;
}

// A name without a slash: found through this library's own RUNPATH only.
void* PluginOpen(const char* name) { return dlopen(name, RTLD_NOW); }
}
