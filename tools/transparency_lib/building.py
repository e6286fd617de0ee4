"""Entries that build: compilers, make, ninja, a Debian package, git, debuggers."""

from transparency_lib.entries import Entry, script

UNIT = r"""
#include "all.h"
#include <stdio.h>
#include <stdlib.h>
struct list%(n)d { int value; struct list%(n)d *next; };
int part%(n)d(int count) {
  struct list%(n)d *first = 0;
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    struct list%(n)d *item = malloc(sizeof *item);
    item->value = i * %(n)d; item->next = first; first = item;
  }
  while (first) { struct list%(n)d *next = first->next; sum += first->value; free(first);
                  first = next; }
  return sum;
}
"""
CXX = r"""
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>
template <int N> struct Fib { static constexpr long value = Fib<N - 1>::value + Fib<N - 2>::value; };
template <> struct Fib<0> { static constexpr long value = 0; };
template <> struct Fib<1> { static constexpr long value = 1; };
int main() {
  std::map<std::string, std::vector<int>> m;
  for (int i = 0; i < 1000; ++i) m["k" + std::to_string(i % 7)].push_back(i);
  long n = 0;
  std::thread t([&] { for (auto& [k, v] : m) if (k < "k4") n += v.size(); });
  t.join();
  try { m.at("none"); } catch (const std::out_of_range&) { std::cout << "caught\n"; }
  std::cout << n << " " << Fib<60>::value << "\n";
}
"""
UNITS = 8


def _project(on):
    """A small library and a program of C, with a Makefile and a build.ninja."""
    on.write("all.h", "".join(f"int part{n}(int count);\n" for n in range(UNITS)))
    for n in range(UNITS):
        on.write(f"part{n}.c", UNIT % {"n": n})
    calls = " + ".join(f"part{n}(100)" for n in range(UNITS))
    on.write("main.c", '#include "all.h"\n#include <stdio.h>\nint main(void) '
             f'{{ printf("%d\\n", {calls}); return 0; }}\n')
    parts = [f"part{n}" for n in range(UNITS)]
    on.write("Makefile", "CFLAGS = -O2 -Wall\nAR_FLAGS = rcsD\nOBJECTS = $(patsubst %.c,%.o,$(wildcard "
             "part*.c))\nall: program check\nlibparts.a: $(OBJECTS)\n\tar $(AR_FLAGS) $@ $^\n"
             "program: main.o libparts.a\n\t$(CC) -o $@ $^\ncheck: program\n\t./program > result\n"
             "\t$(MAKE) -s inner\ninner:\n\t@echo inner $(words $(OBJECTS))\nclean:\n\t"
             "rm -f *.o *.a program result\n.PHONY: all check inner clean\n")
    on.write("build.ninja", "rule cc\n  command = gcc -O2 -MMD -MF $out.d -c $in -o $out\n"
             "  depfile = $out.d\n  deps = gcc\nrule link\n  command = gcc -o $out $in\n" +
             "".join(f"build {p}.o: cc {p}.c\n" for p in [*parts, "main"]) +
             f"build program: link main.o {' '.join(p + '.o' for p in parts)}\n")


def _package(on):
    """The same as source of a Debian package."""
    _project(on)
    on.write("debian/control", "Source: parts\nMaintainer: A B <a@b.c>\nSection: misc\n"
             "Priority: optional\nStandards-Version: 4.6.2\nRules-Requires-Root: no\n\n"
             "Package: parts\nArchitecture: any\nDescription: parts\n Of a whole.\n")
    on.write("debian/changelog", "parts (1.0) unstable; urgency=low\n\n  * First.\n\n"
             " -- A B <a@b.c>  Mon, 01 Jan 2024 00:00:00 +0000\n")
    on.write("debian/rules", "#!/usr/bin/make -f\nP = debian/parts\nclean:\n\t$(MAKE) clean\n"
             "build build-arch build-indep:\n\t$(MAKE) -j2\nbinary-indep:\n"
             "binary binary-arch: build\n\tinstall -D -m755 program $(P)/usr/bin/parts\n"
             "\tmkdir -p $(P)/DEBIAN\n\tdpkg-gencontrol -pparts -P$(P)\n"
             "\tdpkg-deb --root-owner-group --build $(P) ..\n", 0o755)


def _cxx(compiler, flags):
    def play(on):
        on.write("main.cc", CXX)
        on.write("bad.cc", "int main() { return undeclared + ; }\n")
        on.run([compiler, "-c", "-std=c++17", *flags, "main.cc", "-o", "main.o"], name="compile")
        on.run([compiler, "main.o", "-pthread", "-o", "main"], name="link")
        on.run(["./main"], name="main")
        on.run([compiler, "-c", "bad.cc"], name="errors of a bad file")
        on.run([compiler, "-E", "-dM", "-x", "c++", "/dev/null"], name="macros")
    return play


GIT = r"""
set -e
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' \
  GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b \
  GIT_CONFIG_NOSYSTEM=1
git -c init.defaultBranch=main init -q r; cd r
for i in $(seq 30); do seq $i $((i * 20)) > file$((i % 5)); git add .; git commit -qm "number $i"; done
git log --stat --oneline | md5sum; git log -p | md5sum
git checkout -qb side HEAD~5; echo side > side; git add side; git commit -qm side
git merge -q -m merged main; git tag -a -m tag v1
git gc -q --prune=now; git fsck --full; git count-objects -v | grep in-pack
cd ..; git clone -q r copy; git -C copy rev-parse HEAD; git -C r repack -adq
git -C copy fetch -q; git -C copy blame file1 | md5sum; git -C copy grep -c 17 | head -3
git -C copy diff HEAD~3 --stat; git -C copy archive HEAD | md5sum; git -C r bundle create -q ../b main
git -C copy status; git --no-pager -C copy show nothing || echo "status $?"
"""

GDB = r"""
gdb -nx -q -batch -ex 'set startup-with-shell off' -ex 'break Push if value == 49' -ex run \
  -ex bt -ex 'print *list' -ex 'info locals' -ex 'watch g' -ex finish -ex delete -ex continue \
  -ex 'print $_exitcode' $KIT/hello
gdb -nx -q -batch -ex run -ex 'info threads' --args $KIT/hello 2>&1 | tail -3
sh -c 'while :; do :; done' & gdb -nx -q -batch -p $! -ex 'print $_siginfo.si_signo' -ex 'call (int)getppid() != 0' \
  -ex detach 2>&1 | grep '^\$'; kill $!; wait $!; echo $?
"""

STRACE = r"""
strace -qq -e trace=write,exit_group -e signal=none $KIT/hello; echo $?
strace -f -qq -e trace=none -e signal=all sh -c 'kill -USR1 $$'; echo $?
strace -f -o out -e trace=execve sh -c '$KIT/hello; true'; grep -c execve out
strace -qq -e inject=write:error=EBADF:when=1 -e trace=write $KIT/hello; echo $?
strace -c -o counts $KIT/hello; grep -c write counts
"""

VALGRIND = r"""
valgrind --leak-check=full $KIT/hello; echo $?
valgrind -q --tool=none sh -c '$KIT/hello; exit 3'; echo $?
valgrind -q --trace-children=yes --error-exitcode=9 env A=1 $KIT/hello; echo $?
"""

ENTRIES = [
    *(Entry(compiler, "templates and threads: compile, link, run; a file with errors; macros",
            _cxx(compiler, flags), package=package, needs=(compiler,), programs=programs,
            files=("main.o", "main"))
      for compiler, flags, package, programs in (
          ("g++", ("-O2", "-g"), "g++-[0-9][0-9]", ("g++", "cc1plus", "as", "ld", "main")),
          ("clang++", ("-O2", "-g"), "clang-[0-9][0-9]", ("clang", "main")))),
    script("gcc", "eight files of C; -O0, -O3 -flto -j2, -fanalyzer, assembler, a static library",
           "gcc -O0 -c *.c && gcc -O3 -flto=2 *.c -o lto && ./lto && gcc -fanalyzer -c part1.c && "
           "gcc -S -O2 part2.c && ar rcsD all.a part*.o && nm all.a | md5sum && objdump -d part3.o "
           "| md5sum && gcc -shared -fPIC part*.c -o all.so && readelf -d all.so && strip all.so",
           prepare=_project, package="gcc-[0-9][0-9]", needs=("gcc",), files=("*.o", "*.s", "*.a", "*.so"),
           programs=("gcc", "cc1", "as", "collect2", "lto-wrapper")),
    script("clang", "the same by clang, with its static analyzer", "clang -O0 -c *.c && clang -O3 "
           "-flto=thin -c part1.c -o thin.o; clang --analyze part*.c; clang -S -O2 part2.c; clang "
           "-fsyntax-only -Weverything part3.c; clang -O1 *.c -o all && ./all", prepare=_project,
           package="clang-[0-9][0-9]", needs=("clang",), files=("*.o", "*.s", "all"),
           programs=("clang",)),
    script("make", "a library and a program: -j2, a second time, clean, an error",
           "make -j2 > log; sort log; make; make clean; make -n | sort; make nothing; echo $?",
           prepare=_project, needs=("make", "gcc"), files=("result",),
           programs=("make", "gcc", "cc1")),
    script("dpkg-buildpackage", "a Debian package of it, from source to .deb",
           "dpkg-buildpackage -us -uc -b 2>&1 | sort; dpkg-deb -c ../*.deb; ls ..",
           prepare=_package, package="dpkg-dev", needs=("dpkg-buildpackage", "make"),
           programs=("make", "cc1", "dpkg-deb", "tar"), files=("debian/parts/usr/bin/parts",)),
    script("ninja", "the same by ninja, a second time, one file touched, clean",
           "ninja -j2 | tail -1; ninja; sleep 1; touch part3.c; ninja -v | sed 's/^.*\\] //'; "
           "./program; ninja -t clean", prepare=_project, package="ninja-build",
           needs=("ninja", "gcc"), programs=("ninja", "gcc", "program")),
    script("git", "30 commits, log, merge, gc, fsck, clone, blame, archive", GIT,
           needs=("git",), programs=("git",)),
    script("gdb", "conditional breakpoint, watch, finish; attach to a process", GDB,
           needs=("gdb",), programs=("gdb", "hello"),
           rules=((r"process \d+", "process N"), (r"0x[0-9a-f]+", "ADDRESS"),
                  (r"line \d+: +\d+ ", "line N: PID "))),
    script("strace", "calls, signals, followed children, injected errors", STRACE,
           needs=("strace",), programs=("strace",),
           rules=((r"si_pid=\d+", "si_pid=N"), (r"\[?pid +\d+\]?", "pid N"),
                  (r"line \d+: +\d+ ", "line N: PID "))),
    script("valgrind", "Memcheck, none; children (but for Memcheck's count of all "
           "blocks: three are of the library's start)", VALGRIND, needs=("valgrind",),
           programs=("valgrind",),
           rules=((r"==\d+==", "==N=="), (r".*total heap usage.*", "DROP"), (r"0x[0-9A-F]+", "ADDRESS"))),
]
