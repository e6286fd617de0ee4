"""Code that is bound past the library: deep-bound plug-ins, handles of libc's, other
namespaces, mallocs and operators of a plug-in's own.

Each program loses one block of 5,000 bytes and is right otherwise, as Memcheck says,
too. The library sees all of it, or the report names the module and judges no address.
"""

import json
import shutil
import unittest

import harness

LIBRARY = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
char* dep_dup(const char*); void dep_free(void*); void* dep_malloc(int);
static void* early; static void* again;
__attribute__((constructor)) static void start(void) { early = malloc(70); again = dep_malloc(71); }
__attribute__((destructor)) static void stop(void) { dep_free(early); free(again); }
void* lib_malloc(int n) { return malloc(n); }
void* lib_calloc(int n) { return calloc(1, n); }
void* lib_realloc(void* p, int n) { return realloc(p, n); }
void* lib_aligned(int n) { void* p = 0; return posix_memalign(&p, 64, n) ? 0 : p; }
void lib_free(void* p) { free(p); }
char* lib_dup(const char* s) { return strdup(s); }
char* lib_dep_dup(const char* s) { return dep_dup(s); }
void lib_dep_free(void* p) { dep_free(p); }
char* lib_print(int n) { char* out = 0; return asprintf(&out, "%0*d", n, 5) < 0 ? 0 : out; }
char* lib_line(const char* file) {
  char* line = 0; size_t n = 0; FILE* f = fopen(file, "r");
  if (getline(&line, &n, f) < 0) abort();
  fclose(f);
  return line; }
"""
DEPENDENCY = """
#include <stdlib.h>
#include <string.h>
char* dep_dup(const char* s) { return strcpy(malloc(strlen(s) + 1), s); }
void dep_free(void* p) { free(p); }
void* dep_malloc(int n) { return malloc(n); }
"""
HOST = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define F(type, name) ((type)dlsym(h, #name))
typedef void* (*make)(int); typedef char* (*text)(const char*);
static int use(int mode, int lose) {
  void* h = dlopen("./lib.so", mode);
  if (!h) { puts(dlerror()); return 0; }
  void (*give)(void*) = F(void (*)(void*), lib_free), (*dep_give)(void*) = F(void (*)(void*), lib_dep_free);
  void* (*more)(void*, int) = (void* (*)(void*, int))dlsym(h, "lib_realloc");
  for (int i = 0; i < 3; i++) {
    free(F(make, lib_malloc)(1000)); give(malloc(1001));
    free(F(make, lib_calloc)(1002)); free(F(make, lib_aligned)(1003));
    give(F(text, lib_dup)("one")); free(F(text, lib_dup)("two")); give(strdup("three"));
    dep_give(F(text, lib_dup)("four")); give(F(text, lib_dep_dup)("five"));
    free(more(malloc(10), 2000)); give(realloc(F(make, lib_malloc)(10), 3000));
    free(F(make, lib_print)(40)); give(F(text, lib_line)("/proc/self/status"));
  }
  if (lose) F(make, lib_malloc)(5000);
  dlclose(h);
  return 1;
}
int main(int argc, char** argv) {
  int modes = strtol(argv[2], 0, 0);
  if (!strcmp(argv[1], "once")) use(modes, 1);
  if (!strcmp(argv[1], "loaded")) { dlopen("./lib.so", RTLD_NOW); use(modes, 1); }
  if (!strcmp(argv[1], "reload")) for (int i = 0; i < 5; i++) use(modes, i == 4);
  puts("ok");
  return argc - 3;
}
"""
DEEP_LAZY, DEEP_NOW = 0x9, 0xA  # RTLD_DEEPBIND with RTLD_LAZY, RTLD_NOW

# name: (flags of the library, compiler)
BUILDS = {
    "plain": ([], "gcc"),
    "lazy": (["-Wl,-z,lazy"], "gcc"),
    "now": (["-Wl,-z,now,-z,relro"], "gcc"),
    "no plt": (["-fno-plt"], "gcc"),
    "symbolic": (["-Wl,-Bsymbolic"], "gcc"),
    "symbolic functions": (["-Wl,-Bsymbolic-functions"], "gcc"),
    "global": (["-Wl,-z,global"], "gcc"),
    "sysv hash": (["-Wl,--hash-style=sysv"], "gcc"),
    "clang": (["-Wl,-z,now"], "clang"),
}

# Plug-ins with a malloc of their own, bound to it (-Bsymbolic), that ends in libc's.
OWN_MALLOC = {
    "RTLD_NEXT": """
void* malloc(size_t n) { return ((void* (*)(size_t))dlsym(RTLD_NEXT, "malloc"))(n); }
void free(void* p) { ((void (*)(void*))dlsym(RTLD_NEXT, "free"))(p); }
""",
    "glibc's names": """
void* __libc_malloc(size_t); void __libc_free(void*);
void* malloc(size_t n) { return __libc_malloc(n); }
void free(void* p) { __libc_free(p); }
""",
    "a handle": """
static void* libc(const char* name) { return dlsym(dlopen("libc.so.6", RTLD_LAZY), name); }
void* malloc(size_t n) { return ((void* (*)(size_t))libc("malloc"))(n); }
void free(void* p) { ((void (*)(void*))libc("free"))(p); }
""",
}
OWN_MALLOC_HEAD = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
void* lib_malloc(int n) { return malloc(n); }
void lib_free(void* p) { free(p); }
char* lib_dup(const char* s) { return strdup(s); }
"""
OWN_MALLOC_HOST = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  void* h = dlopen("./own.so", RTLD_NOW);
  void* (*lm)(int) = (void* (*)(int))dlsym(h, "lib_malloc");
  void (*lf)(void*) = (void (*)(void*))dlsym(h, "lib_free");
  char* (*ld)(const char*) = (char* (*)(const char*))dlsym(h, "lib_dup");
  for (int i = 0; i < 3; i++) { free(lm(1000)); lf(malloc(1000)); lf(ld("x")); free(ld("y")); }
  lm(5000);
  return 0;
}
"""

HANDLE = """
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  void* h = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  void* (*m)(size_t) = (void* (*)(size_t))dlsym(h, "malloc");
  void (*f)(void*) = (void (*)(void*))dlsym(h, "free");
  for (int i = 0; i < 3; i++) { free(m(1000)); f(strdup("x")); f(malloc(12)); f(m(13)); }
  m(5000);
  return 0;
}
"""

# A constructor that opens the next one.
NESTED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
static void* inner; static void* (*make)(int); static void* block;
__attribute__((constructor)) static void start(void) {
  inner = dlopen("./lib.so", RTLD_LAZY | RTLD_DEEPBIND);
  make = (void* (*)(int))dlsym(inner, "lib_malloc");
  block = make(5000); block = 0; free(make(100)); }
"""
NESTED_HOST = """
#define _GNU_SOURCE
#include <dlfcn.h>
int main(void) { return dlopen("./nested.so", RTLD_NOW | RTLD_DEEPBIND) == 0; }
"""

NAMESPACE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
int main(void) {
  void* h = dlmopen(LM_ID_NEWLM, "./lib.so", RTLD_NOW);
  if (!h) return 3;
  void* (*lm)(int) = (void* (*)(int))dlsym(h, "lib_malloc");
  void (*lf)(void*) = (void (*)(void*))dlsym(h, "lib_free");
  for (int i = 0; i < 3; i++) lf(lm(1000));
  void* volatile p = malloc(5000); p = 0;
  return 0;
}
"""

# C++ blocks that change hands between a plug-in and its host, both ways.
CXX_PLUGIN = """
#include <string>
#include <vector>
struct Thing { std::string name = std::string(40, 'x'); std::vector<int> all = {1, 2, 3}; };
extern "C" Thing* make() { return new Thing; }
extern "C" void give(Thing* t) { delete t; }
extern "C" long* make_array() { return new long[9]; }
extern "C" void give_array(long* a) { delete[] a; }
extern "C" void work() { delete new Thing; delete[] new Thing[3]; }
"""
JUMPS = r"""
#include <string>
extern "C" char* make() { return new char[3]; }
__asm__(".globl give\n.type give, @function\ngive: jmp free@plt\n.size give, .-give\n");
"""

JUMPS_HOST = r"""
#include <dlfcn.h>
#include <stdlib.h>
extern "C" char* make();
extern "C" void give(char*);
int main() {
#ifdef OPEN
  void* h = dlopen("./jumps.so", RTLD_NOW);
  auto make = (char* (*)())dlsym(h, "make");
  auto give = (void (*)(char*))dlsym(h, "give");
#endif
  delete[] make();
  give(new char[22]);
  char* volatile mine = new char[11];
  free(mine);
}
"""

CXX_OWN = """
#include <stdlib.h>
#include <stdio.h>
#include <new>
static int news;
void* operator new(size_t n) { ++news; void* p = malloc(n); if (!p) throw std::bad_alloc(); return p; }
void operator delete(void* p) noexcept { free(p); }
void operator delete(void* p, size_t) noexcept { free(p); }
extern "C" int count() { return news; }
"""
CXX_HOST = """
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <vector>
struct Thing { std::string name = std::string(40, 'x'); std::vector<int> all = {1, 2, 3}; };
int main(int, char** argv) {
  void* h = dlopen("./cxx.so", atoi(argv[1]));
  if (!h) { puts(dlerror()); return 3; }
  auto make = (Thing * (*)())dlsym(h, "make");
  auto give = (void (*)(Thing*))dlsym(h, "give");
  auto make_array = (long* (*)())dlsym(h, "make_array");
  auto give_array = (void (*)(long*))dlsym(h, "give_array");
  for (int i = 0; i < 3; ++i) {
    delete make(); give(new Thing); delete[] make_array(); give_array(new long[9]);
    ((void (*)())dlsym(h, "work"))();
  }
  auto count = (int (*)())dlsym(h, "count");
  printf("%d\\n", count ? count() : -1);
  return 0;
}
"""
C_HOST = """
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char** argv) {
  void* h = dlopen("./cxx.so", atoi(argv[1]));
  if (!h) { puts(dlerror()); return 3; }
  ((void (*)(void))dlsym(h, "work"))();
  int (*count)(void) = (int (*)(void))dlsym(h, "count");
  printf("%d\\n", count ? count() : -1);
  return argc - 2;
}
"""

INTERNAL = """
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
int main(void) {
  char* line = 0; size_t n = 0; FILE* f = fopen("lines", "r");
  while (getline(&line, &n, f) > 0) {}
  fclose(f); free(line);
  char* text = 0; if (asprintf(&text, "%0500d", 1) < 0) return 1;
  free(text); free(strdup("strdup")); free(strndup("strndup", 3)); free(wcsdup(L"wide"));
  DIR* d = opendir("names"); while (readdir(d)) {}
  closedir(d);
  struct dirent** names; int count = scandir("names", &names, 0, alphasort);
  while (count > 0) free(names[--count]);
  free(names); free(realpath("/proc/self/exe", 0)); free(getcwd(0, 0)); free(get_current_dir_name());
  char* memory = 0; size_t size = 0; FILE* m = open_memstream(&memory, &size);
  for (int i = 0; i < 1000; i++) fprintf(m, "%d,", i);
  fclose(m); free(memory);
  setenv("SOME_NAME", "value", 1);
  char* lost = strdup("lost for ever"); lost = 0;
  return lost != 0;
}
"""


class Bypass(harness.Case):
    def build(self, name, source, *flags, compiler="gcc"):
        suffix = "cc" if "++" in compiler else "c"
        text = self.dir / f"{name}.{suffix}"
        text.write_text(source)
        harness.run([compiler, "-O1", "-g", "-w", "-fno-builtin", "-o", self.dir / name,
                     text, *flags], cwd=self.dir, check=True)
        return self.dir / name

    def build_library(self, *flags, compiler="gcc"):
        self.build("libdep.so", DEPENDENCY, "-shared", "-fPIC", *flags, compiler=compiler)
        self.build("lib.so", LIBRARY, "-shared", "-fPIC", *flags, "./libdep.so",
                   compiler=compiler)

    def leaks(self, *argv, options=(), env=None):
        """The document of `mallogram leaks`, with all that it looks for."""
        trace = self.dir / "one.mgram"
        trace.unlink(missing_ok=True)
        result = harness.record(argv, "-q", "--leak-check", "full", *options, "-o", trace,
                                cwd=self.dir, env=env)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        loss = harness.report(trace)
        self.assertEqual(loss["loss"]["order_violations"], 0)
        self.unknown_frees = loss["totals"]["unknown_frees"]
        return harness.whole_leaks(harness.command("leaks", "--json", trace).stdout)

    def lost(self, document):
        return sorted(record["bytes"] for record in document["records"]
                      if record["kind"] in ("definite", "indirect", "possible")
                      and not record.get("suppressed"))

    def check(self, *argv, lost=(5000,), env=None):
        document = self.leaks(*argv, env=env)
        self.assertEqual(document["mismatches"], [])
        self.assertEqual(self.lost(document), list(lost))
        self.assertEqual(self.unknown_frees, 0)
        self.assertEqual(document["warnings"], [])

    def test_deep_bound(self):
        host = self.build("host", HOST)
        for name, (flags, compiler) in BUILDS.items():
            if not shutil.which(compiler):
                continue
            self.build_library(*flags, compiler=compiler)
            with self.subTest(name):
                self.check(host, "once", str(DEEP_LAZY))
        for how in ("once", "loaded", "reload"):
            with self.subTest(how):
                self.check(host, how, str(DEEP_NOW))

    @unittest.skipUnless(shutil.which("valgrind"), "no valgrind")
    def test_memcheck_agrees(self):
        host = self.build("host", HOST)
        self.build_library()
        result = harness.run(["valgrind", "--leak-check=full", host, "once",
                              str(DEEP_NOW)], cwd=self.dir)
        said = result.stderr.decode()
        self.assertRegex(said, r"definitely lost: 5,000 bytes in 1 blocks")
        self.assertNotRegex(said, r"Invalid free|Mismatched")

    def test_opened_in_a_constructor(self):
        self.build_library()
        self.build("nested.so", NESTED, "-shared", "-fPIC")
        self.check(self.build("nested_host", NESTED_HOST))

    def test_malloc_of_a_plug_in(self):
        host = self.build("own_host", OWN_MALLOC_HOST)
        for name, source in OWN_MALLOC.items():
            with self.subTest(name):
                self.build("own.so", OWN_MALLOC_HEAD + source, "-shared", "-fPIC",
                           "-Wl,-Bsymbolic")
                document = self.leaks(host)
                self.assertEqual(document["mismatches"], [])
                self.assertEqual(self.lost(document), [5000])
                self.assertEqual(self.unknown_frees, 0)
                self.assertIn("own.so defines malloc itself",
                              " ".join(document["warnings"]))

    def test_handle_of_libc(self):
        self.check(self.build("handle", HANDLE))

    # Another libc's blocks: named, and no address is judged.
    def test_namespace(self):
        self.build_library()
        document = self.leaks(self.build("namespace", NAMESPACE))
        self.assertEqual(document["mismatches"], [])
        self.assertEqual(self.lost(document), [5000])
        self.assertIn("lib.so was opened in a namespace of its own",
                      " ".join(document["warnings"]))

    # A deep-bound module goes past a wrapper, to libc itself, but not past us.
    def test_deep_bound_past_a_wrapper(self):
        host = self.build("host", HOST)
        self.build_library()
        wrapper = self.build("wrapper.so", "#include <stdlib.h>\n"
                             "void* malloc(size_t n) { return calloc(1, n); }\n",
                             "-shared", "-fPIC")
        self.check(host, "once", str(DEEP_NOW),
                   env=harness.clean_env(LD_PRELOAD=wrapper))

    # The plug-in's own operators run, as many times as without us, and no block that
    # changes hands is called a mismatch.
    def test_operators_of_a_plug_in(self):
        cxx_host = self.build("cxx_host", CXX_HOST, compiler="g++")
        c_host = self.build("c_host", C_HOST)
        for own, flags, compiler, modes in (
                ("", [], "g++", (2, DEEP_NOW)),
                ("", ["-static-libstdc++"], "g++", (2,)),
                (CXX_OWN, [], "g++", (2, DEEP_NOW, 0x102)),  # RTLD_GLOBAL
                (CXX_OWN, ["-Wl,-Bsymbolic"], "g++", (2,)),
                (CXX_OWN, ["-Wl,-Bsymbolic-functions"], "g++", (2,)),
                (CXX_OWN, ["-static-libstdc++"], "g++", (2,)),
                (CXX_OWN, ["-Wl,-z,now"], "clang++", (2,))):
            if not shutil.which(compiler):
                continue
            self.build("cxx.so", CXX_PLUGIN + own, "-shared", "-fPIC", *flags,
                       "-std=c++17", compiler=compiler)
            for host in (c_host, cxx_host):
                for mode in modes:
                    with self.subTest(own=bool(own), flags=flags, host=host.name,
                                      compiler=compiler, mode=mode):
                        self.check_operators(host, str(mode))

    def check_operators(self, host, mode):
        plain = harness.run([host, mode], cwd=self.dir)
        trace = self.dir / "one.mgram"
        trace.unlink(missing_ok=True)
        result = harness.record([host, mode], "-q", "--mismatches", "on", "--leak-check",
                                "none", "-o", trace, cwd=self.dir)
        self.assertEqual((result.returncode, result.stdout),
                         (plain.returncode, plain.stdout))
        if plain.returncode != 0:
            return
        document = harness.whole_leaks(harness.command("leaks", "--json", trace).stdout)
        self.assertEqual([m["kind"] for m in document["mismatches"]], [])

    # A function that ends in a jump leaves its caller's address behind: what clang makes
    # of `delete` where the plug-in's own operator is no more than free.
    def test_jumps_to_free(self):
        for own, linked in ((CXX_OWN, False), (CXX_OWN, True), ("", False)):
            self.build("jumps.so", JUMPS + own, "-shared", "-fPIC", compiler="g++")
            host = self.build("jumps_host", JUMPS_HOST, *(["./jumps.so"] if linked else ["-DOPEN"]),
                              "-O1", compiler="g++")
            with self.subTest(own=bool(own), linked=linked):
                trace = self.dir / "jumps.mgram"
                self.record([host], "-q", "--mismatches", "on", "--leak-check", "none",
                            "-o", trace)
                document = harness.whole_leaks(harness.command("leaks", "--json", trace).stdout)
                found = [(m["kind"], m["size"]) for m in document["mismatches"]]
                # The host's own is one; without operators of its own the plug-in's is, too.
                self.assertEqual(sorted(found), [("wrong_function", 11)] if own else
                                 [("wrong_function", 11), ("wrong_function", 22)])

    # A library that the plug-in needs has them.
    def test_operators_of_a_dependency(self):
        self.build("libops.so", CXX_OWN, "-shared", "-fPIC", compiler="g++")
        self.build("cxx.so", CXX_PLUGIN, "-shared", "-fPIC", "./libops.so",
                   compiler="g++")
        for host in (self.build("c_host", C_HOST),
                     self.build("cxx_host", CXX_HOST, compiler="g++")):
            for mode in ("2", str(DEEP_NOW)):
                with self.subTest(host.name, mode=mode):
                    self.check_operators(host, mode)

    # getline, asprintf, opendir and the like call malloc inside of libc.
    def test_calls_inside_libc(self):
        (self.dir / "lines").write_text("".join("x" * n + "\n" for n in (9, 200, 5000)))
        (self.dir / "names").mkdir()
        for name in "abc":
            (self.dir / "names" / name).touch()
        program = self.build("internal", INTERNAL)
        document = self.leaks(program)
        self.assertEqual(document["mismatches"], [])
        self.assertEqual(self.lost(document), [len("lost for ever") + 1])
        self.assertEqual(self.unknown_frees, 0)
        if shutil.which("valgrind"):
            said = harness.run(["valgrind", "--leak-check=full", program],
                               cwd=self.dir).stderr.decode()
            self.assertRegex(said, r"definitely lost: 14 bytes in 1 blocks")


if __name__ == "__main__":
    harness.main()
