"""Allocators of the user's, preloaded behind the library, that call back into it.

Whatever a wrapper does to serve a call, the program's call is counted once, with its
own size: the figures are those of the program without any wrapper. No event comes out
of order. What the wrapper keeps for itself is not the program's.
"""

import harness

# What every wrapper starts with.
HEAD = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void* __libc_malloc(size_t); void __libc_free(void*);
#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))
typedef void* (*malloc_f)(size_t); typedef void (*free_f)(void*);
typedef void* (*calloc_f)(size_t, size_t); typedef void* (*realloc_f)(void*, size_t);
"""

# Of a wrapper with a header before each block: the other functions.
THE_REST_BY_MALLOC = """
void* calloc(size_t a, size_t b) {
  void* p = malloc(a * b); if (p) memset(p, 0, a * b); return p; }
void* realloc(void* old, size_t n) {
  if (!old) return malloc(n);
  void* p = malloc(n); memcpy(p, old, 1); free(old); return p; }
int posix_memalign(void** out, size_t a, size_t n) { *out = malloc(n); return 0; }
void* aligned_alloc(size_t a, size_t n) { return malloc(n); }
void* memalign(size_t a, size_t n) { return malloc(n); }
size_t malloc_usable_size(void* p) { return p ? 1 : 0; }
"""

WRAPPERS = {
    "malloc by calloc": """
void* malloc(size_t n) { void* p = calloc(1, n); if (p) memset(p, 0xff, n); return p; }
""",
    "calloc by malloc": """
void* calloc(size_t a, size_t b) {
  void* p = malloc(a * b); if (p) memset(p, 0, a * b); return p; }
""",
    "realloc by malloc and free": """
void* realloc(void* old, size_t n) {
  if (!old) return malloc(n);
  if (!n) { free(old); return 0; }
  void* p = malloc(n);
  if (!p) return 0;
  size_t had = malloc_usable_size(old);
  memcpy(p, old, had < n ? had : n);
  free(old);
  return p; }
""",
    "header by glibc's names": """
void* malloc(size_t n) { char* p = __libc_malloc(n + 16); return p ? p + 16 : 0; }
void free(void* p) { if (p) __libc_free((char*)p - 16); }
""" + THE_REST_BY_MALLOC,
    "header by RTLD_NEXT": """
void* malloc(size_t n) { char* p = NEXT(malloc_f, "malloc")(n + 32); return p ? p + 32 : 0; }
void free(void* p) { if (p) NEXT(free_f, "free")((char*)p - 32); }
""" + THE_REST_BY_MALLOC,
    "start-up buffer": """
static char buffer[4096]; static size_t used; static malloc_f real; static int asking;
static free_f real_free; static calloc_f real_calloc;
static int ours(void* p) { return (char*)p >= buffer && (char*)p < buffer + 4096; }
static void find(void) { asking = 1; real = NEXT(malloc_f, "malloc");
  real_calloc = NEXT(calloc_f, "calloc"); real_free = NEXT(free_f, "free"); asking = 0; }
static void* early(size_t n) { void* p = buffer + used; used += (n + 15) & ~15ul; return p; }
void* malloc(size_t n) { if (!real) { if (asking) return early(n); find(); } return real(n); }
void* calloc(size_t a, size_t b) {
  if (!real) { if (asking) return early(a * b); find(); } return real_calloc(a, b); }
void free(void* p) { if (!p || ours(p)) return; if (!real_free) find(); real_free(p); }
""",
    "book-keeping": """
static void** table; static size_t used, room;
static malloc_f real;
__attribute__((constructor)) static void start(void) { real = NEXT(malloc_f, "malloc"); }
void* malloc(size_t n) {
  void* p = real ? real(n) : __libc_malloc(n);
  if (used == room) { room = room ? 2 * room : 4; table = realloc(table, room * sizeof(*table)); }
  table[used++] = p;
  return p; }
""",
    "log by printf": """
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; static FILE* log_file;
void* malloc(size_t n) {
  void* p = __libc_malloc(n);
  if (pthread_mutex_trylock(&lock) == 0) {
    if (!log_file) log_file = fopen("/dev/null", "w");
    fprintf(log_file, "malloc %zu = %p\\n", n, p);
    char* text = 0;
    if (asprintf(&text, "%zu", n) > 0) free(text);
    pthread_mutex_unlock(&lock);
  }
  return p; }
""",
    "lock": """
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; static long count;
void* malloc(size_t n) {
  pthread_mutex_lock(&lock); ++count;
  void* p = calloc(1, n);
  pthread_mutex_unlock(&lock);
  return p; }
""",
    "free alone": """
static long count; static free_f real;
void free(void* p) { ++count; if (!real) real = NEXT(free_f, "free"); real(p); }
""",
    "quarantine": """
static void* held[16]; static int at; static free_f real;
void free(void* p) {
  if (!real) real = NEXT(free_f, "free");
  void* old = held[at % 16]; held[at++ % 16] = p; if (old) real(old); }
""",
    "far away on the stack": """
static __attribute__((noinline)) void* deep(int levels, size_t n) {
  volatile char room[4096]; room[0] = 1;
  return levels ? deep(levels - 1, n) : calloc(room[0], n); }
void* malloc(size_t n) { return deep(5, n); }
""",
    "by a jump": """
void* malloc(size_t n) { return aligned_alloc(16, n); }
void* calloc(size_t a, size_t b) { return memset(malloc(a * b), 0, a * b); }
""",
}

STACKED = {
    "outer": """
static malloc_f real;
void* malloc(size_t n) { if (!real) real = NEXT(malloc_f, "malloc"); free(calloc(1, 5)); return real(n); }
""",
    "inner": WRAPPERS["malloc by calloc"],
}

APP = """
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void* work(void* argument) {
  (void)argument;
  void* volatile kept[300];
  for (int i = 0; i < 300; i++) kept[i] = malloc(1234);
  for (int i = 0; i < 100; i++) free(kept[i]);
  for (int i = 100; i < 150; i++) kept[i] = realloc(kept[i], 4321);
  for (int i = 150; i < 200; i++) kept[i] = realloc(kept[i], 10);
  for (int i = 0; i < 20; i++) { unsigned char* c = calloc(3, 11); if (c[32]) puts("!"); free(c); }
  void* aligned = aligned_alloc(64, 128); free(aligned);
  if (posix_memalign(&aligned, 32, 77) == 0) free(aligned);
  for (int i = 100; i < 290; i++) free(kept[i]);
  return 0;
}
int main(int argc, char** argv) {
  (void)argv;
  pthread_t threads[4];
  work(0);
  for (int i = 0; i < argc - 1; i++) pthread_create(&threads[i], 0, work, 0);
  for (int i = 0; i < argc - 1; i++) pthread_join(threads[i], 0);
  errno = 77;
  free(malloc(100));
  if (errno != 77) puts("errno");
  if (write(1, "hi\\n", 3) != 3) return 1;
  return 2;
}
"""

# A wrapper that is interrupted inside of itself, by a handler of the program's.
INTERRUPTED = """
static malloc_f real; static long count;
void* malloc(size_t n) {
  if (!real) real = NEXT(malloc_f, "malloc");
  if (n == 1234 && ++count % 10 == 0) raise(SIGUSR1);
  free(calloc(1, 3));
  return real(n); }
"""
HANDLER = """
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void* volatile slot;
static sigjmp_buf out;
static int leave;
static char stack[1 << 16];
static void handle(int signal) {
  (void)signal;
  free(slot);
  slot = malloc(50);
  if (leave) siglongjmp(out, 1);
}
int main(int argc, char** argv) {
  leave = argv[1][0] == 'l';
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
  struct sigaction action = {.sa_handler = handle,
                             .sa_flags = argv[1][0] == 'a' ? SA_ONSTACK : 0};
  sigaltstack(&alternate, 0);
  sigaction(SIGUSR1, &action, 0);
  for (int i = 0; i < 100; i++) {
    if (sigsetjmp(out, 1) == 0) free(malloc(1234));
    free(malloc(60));
  }
  return argc - 2;
}
"""

FORKING = """
#include <sys/wait.h>
static malloc_f real; static int count;
void* malloc(size_t n) {
  if (!real) real = NEXT(malloc_f, "malloc");
  void* p = real(n);
  if (n == 1234 && ++count == 50) { int pid = fork(); if (pid > 0) waitpid(pid, 0, 0); else free(calloc(1, 9)); }
  return p; }
"""

OPERATORS = """
#include <stdlib.h>
#include <new>
void* operator new(size_t n) { void* p = malloc(n ? n : 1); if (!p) throw std::bad_alloc(); return p; }
void operator delete(void* p) noexcept { free(p); }
void operator delete(void* p, size_t) noexcept { free(p); }
extern "C" void* malloc(size_t n) noexcept { return calloc(1, n); }
"""
CXX_APP = """
#include <string>
#include <vector>
int main() {
  std::vector<std::string> all;
  for (int i = 0; i < 100; ++i) all.push_back(std::string(100 + i, 'x'));
  return 0;
}
"""


class Wrappers(harness.Case):
    def wrapper(self, name, source, language="c"):
        head = HEAD if language == "c" else ""
        return harness.compile_c(self.dir, name + ".so", head + source, "-shared", "-fPIC",
                                 "-w", "-ldl", language=language)

    def figures(self, argv, preload, status, *options, bare=None):
        """Totals and losses of a recording; its output is that of the plain run."""
        env = harness.clean_env(**({"LD_PRELOAD": preload} if preload else {}))
        plain = harness.run(argv, cwd=self.dir, env=env)
        self.assertEqual(plain.returncode, status, plain.stderr)
        trace = self.dir / "one.mgram"
        trace.unlink(missing_ok=True)
        if bare is None:
            result = self.record(argv, "-o", trace, *options, status=status, env=env)
        else:
            result = harness.run(argv, cwd=self.dir, env=harness.clean_env(
                LD_PRELOAD=bare, MALLOGRAM_OUT=trace))
            harness.wait_complete(trace)
        self.assertEqual(result.stdout, plain.stdout)
        report = harness.report(trace)
        self.assertEqual(report["loss"]["order_violations"], 0)
        return report["totals"]

    SAME = ("allocations", "frees", "reallocations", "bytes_allocated", "live_blocks",
            "live_bytes", "unknown_frees")

    def check(self, argv, preload, status, expected, *options, bare=None):
        found = self.figures(argv, preload, status, *options, bare=bare)
        self.assertEqual({k: found[k] for k in self.SAME},
                         {k: expected[k] for k in self.SAME})

    def test_outermost_call_is_counted_once(self):
        app = harness.compile_c(self.dir, "app", APP, "-pthread")
        for threads in ([], ["a", "b", "c"]):
            argv = [app, *threads]
            expected = self.figures(argv, None, 2)
            self.assertEqual(expected["unknown_frees"], 0)
            for name, source in WRAPPERS.items():
                if threads and name in ("quarantine", "book-keeping", "start-up buffer"):
                    continue  # they know no threads
                with self.subTest(name, threads=len(threads)):
                    path = self.wrapper("wrapper", source)
                    self.check(argv, path, 2, expected)

    def test_two_wrappers(self):
        app = harness.compile_c(self.dir, "app", APP, "-pthread")
        expected = self.figures([app], None, 2)
        both = ":".join(self.wrapper(name, source) for name, source in STACKED.items())
        self.check([app], both, 2, expected)

    # Seen from outside of the wrapper it is what it asks for that is recorded.
    def test_wrapper_before_the_library(self):
        app = harness.compile_c(self.dir, "app", APP, "-pthread")
        expected = self.figures([app], None, 2)
        path = self.wrapper("wrapper", WRAPPERS["malloc by calloc"])
        self.check([app], path, 2, expected, bare=f"{path}:{harness.library()}")

    def test_sampling_draws_for_outermost_calls_alone(self):
        app = harness.compile_c(self.dir, "app", APP, "-pthread")
        path = self.wrapper("wrapper", WRAPPERS["malloc by calloc"])
        for preload in (None, path):
            with self.subTest(preload):
                env = harness.clean_env(MALLOGRAM_SAMPLE_SEED="7", **(
                    {"LD_PRELOAD": preload} if preload else {}))
                trace = self.dir / "sampled.mgram"
                trace.unlink(missing_ok=True)
                self.record([app], "--sample", "1K", "-o", trace, status=2, env=env)
                found = harness.report(trace)
                self.assertEqual(found["loss"]["order_violations"], 0)
                found = found["totals"]["allocations"]
                if preload is None:
                    expected = found
                else:
                    self.assertEqual(found, expected)

    # 10 of 100 calls raise a signal inside the wrapper; its handler's blocks are the
    # program's, on the same stack and on another one.
    def test_signal_handler_inside_the_wrapper(self):
        app = harness.compile_c(self.dir, "handler", HANDLER)
        path = self.wrapper("wrapper", INTERRUPTED)
        for stack in ("same", "alternate"):
            with self.subTest(stack):
                totals = self.figures([app, stack], path, 0)
                self.assertEqual(totals["allocations"], 200 + 10)
                self.assertEqual(totals["frees"], 200 + 9)
                self.assertEqual(totals["unknown_frees"], 0)

    # What leaves the wrapper by longjmp leaves no mark for ever.
    def test_longjmp_out_of_the_wrapper(self):
        app = harness.compile_c(self.dir, "handler", HANDLER)
        path = self.wrapper("wrapper", INTERRUPTED)
        totals = self.figures([app, "leave"], path, 0)
        self.assertEqual(totals["allocations"], 190 + 10)
        self.assertEqual(totals["frees"], 190 + 9)
        self.assertEqual(totals["unknown_frees"], 0)

    def test_fork_inside_the_wrapper(self):
        app = harness.compile_c(self.dir, "app", APP, "-pthread")
        expected = self.figures([app], None, 2)
        path = self.wrapper("wrapper", FORKING)
        result = self.record([app], "-o", "fork-%p.mgram", status=2,
                             env=harness.clean_env(LD_PRELOAD=path))
        self.assertEqual(result.stdout, b"hi\nhi\n")
        (self.dir / "one.mgram").unlink()
        found = [harness.report(trace) for trace in harness.traces(self.dir)]
        self.assertEqual([r["loss"]["order_violations"] for r in found], [0, 0])
        self.assertIn(expected["allocations"],
                      [r["totals"]["allocations"] for r in found])

    def test_operators_of_the_wrapper(self):
        app = harness.compile_c(self.dir, "cxx", CXX_APP, language="c++")
        expected = self.figures([app], None, 0)
        path = self.wrapper("wrapper", OPERATORS, language="c++")
        self.check([app], path, 0, expected)

    def test_leaks_behind_a_wrapper(self):
        app = harness.compile_c(self.dir, "app", APP, "-pthread")
        path = self.wrapper("wrapper", WRAPPERS["malloc by calloc"])
        result = harness.command("leaks", "--json", "--leak-check", "full", app,
                                 cwd=self.dir, env=harness.clean_env(LD_PRELOAD=path))
        self.assertIn(b'"mismatches":[]', result.stdout.replace(b" ", b"").replace(
            b"\n", b""))


if __name__ == "__main__":
    harness.main()
