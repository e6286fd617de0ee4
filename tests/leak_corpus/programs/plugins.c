// Trap 4: plug-ins that are gone when their leaks are found; the second one comes
// to lie where the first was. A third stays, with pointers in its data and its TLS.
//
// Runs with libplugin_first.so libplugin_second.so libplugin_third.so
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>

#include "tests/leak_corpus/programs/threads.h"

static char directory[4096];

NOINLINE static void* Load(const char* name) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  void* library = dlopen(path, RTLD_NOW);  // LEAK optional
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    abort();
  }
  return library;
}

NOINLINE static void* Run(const char* name) {
  void* library = Load(name);
  void (*work)(void) = (void (*)(void))dlsym(library, "Work");
  if (work == NULL) abort();
  work();
  return library;
}

static void* Other(void* work) {
  ((void (*)(void))work)();
  Stay();
  return NULL;
}

int main(int argc, char** argv) {
  ssize_t length = readlink("/proc/self/exe", directory, sizeof directory - 1);
  if (argc != 1 || length < 0) return 1;
  directory[length] = '\0';
  dirname(directory);
  dlclose(Run("libplugin_first.so"));
  dlclose(Run("libplugin_second.so"));
  void* third = Run("libplugin_third.so");
  StartAndWait(Other, dlsym(third, "InThread"));
  ScrubStack();
  return 0;
}
