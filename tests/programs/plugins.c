// A C host of C++ plug-ins:
//
//   plugins reuse DIR ROUNDS   loads Alpha and Beta in turns, each time at the
//                              address that the other one has left
//   plugins runpath DIR        a plug-in opens another by name, through its
//   RUNPATH;
//                              the host itself can't
//   plugins deepbind DIR       RTLD_DEEPBIND: the plug-in binds the libc directly
//   plugins dlmopen DIR        a namespace of its own, with another libc
//
// The truth is plain enough to be written by hand.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*run_function)(void**, int);
typedef void* (*open_function)(const char*);

static char path[8192];

static const char* PathOf(const char* directory, const char* name) {
  snprintf(path, sizeof(path), "%s/%s", directory, name);
  return path;
}

// Calls the plug-in; frees what it kept. Returns its base address.
static unsigned long Use(void* plugin, int rounds) {
  run_function run = (run_function)dlsym(plugin, "PluginRun");
  struct link_map* map = NULL;
  void* kept = NULL;
  if (run == NULL || dlinfo(plugin, RTLD_DI_LINKMAP, &map) != 0) exit(4);
  if (run(&kept, rounds) != 8) exit(5);
  free(kept);
  return map->l_addr;
}

static void Truth(int loads, int calls_a_load) {
  const char* file = getenv("TRUTH_FILE");
  if (file == NULL) return;
  const int fd = open(file, O_WRONLY | O_APPEND);
  char line[1024];
  int n = snprintf(line, sizeof(line),
                   "{\"role\":\"plugins\",\"pid\":%d,\"sites\":{", (int)getpid());
  for (int i = 0; i < 2; ++i) {
    const long calls = (long)loads * (calls_a_load + 1);
    const long bytes = (long)loads * (calls_a_load * 100 + 13);
    n += snprintf(line + n, sizeof(line) - (size_t)n,
                  "%s\"%s\":{\"calls\":%ld,\"bytes_allocated\":%ld,"
                  "\"live_blocks\":%d,\"live_bytes\":%d}",
                  i == 0 ? "" : ",", i == 0 ? "SiteAlpha" : "SiteBeta", calls,
                  bytes, loads, loads * 13);
  }
  n += snprintf(line + n, sizeof(line) - (size_t)n, "}}\n");
  if (write(fd, line, (size_t)n) != n) exit(6);
  close(fd);
}

static int Reuse(const char* directory, int rounds) {
  unsigned long last = 0;
  int same = 0;
  for (int i = 0; i < 2 * rounds; ++i) {
    void* plugin = dlopen(
        PathOf(directory, i % 2 == 0 ? "libplugin_alpha.so" : "libplugin_beta.so"),
        RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL) {
      fputs(dlerror(), stderr);
      return 3;
    }
    const unsigned long base = Use(plugin, 3);
    same += base == last;
    last = base;
    if (dlclose(plugin) != 0) return 7;
  }
  Truth(rounds, 3);
  // The first load brings libstdc++ along, which stays: that one may lie elsewhere.
  printf("%s\n", same >= 2 * rounds - 4 ? "addresses were reused" : "NO REUSE");
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  if (strcmp(argv[1], "reuse") == 0) {
    // Kept loaded throughout, so that only the plug-ins come and go.
    if (dlopen("libstdc++.so.6", RTLD_NOW) == NULL) return 3;
    return Reuse(argv[2], atoi(argv[3]));
  }
  if (strcmp(argv[1], "runpath") == 0) {
    printf("host by name: %s\n",
           dlopen("libplugin_beta.so", RTLD_NOW) ? "FOUND" : "no");
    void* alpha = dlopen(PathOf(argv[2], "libplugin_alpha.so"), RTLD_NOW);
    if (alpha == NULL) return 3;
    open_function open_by_name = (open_function)dlsym(alpha, "PluginOpen");
    void* beta = open_by_name("libplugin_beta.so");
    printf("plug-in by name: %s\n", beta != NULL ? "found" : dlerror());
    if (beta == NULL) return 4;
    Use(alpha, 3);
    Use(beta, 3);
    Truth(1, 3);
    return 0;
  }
  void* plugin = NULL;
  if (strcmp(argv[1], "deepbind") == 0) {
    plugin =
        dlopen(PathOf(argv[2], "libplugin_alpha.so"), RTLD_NOW | RTLD_DEEPBIND);
  } else if (strcmp(argv[1], "dlmopen") == 0) {
    plugin = dlmopen(LM_ID_NEWLM, PathOf(argv[2], "libplugin_alpha.so"), RTLD_NOW);
  }
  if (plugin == NULL) {
    fputs(dlerror(), stderr);
    return 3;
  }
  if (strcmp(argv[1], "deepbind") == 0) {
    Use(plugin, 3);
  } else {
    // Another libc's block must not be freed here.
    run_function run = (run_function)dlsym(plugin, "PluginRun");
    void* kept = NULL;
    if (run == NULL || run(&kept, 3) != 8) return 5;
  }
  printf("works\n");
  return dlclose(plugin);
}
