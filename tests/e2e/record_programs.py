"""Programs that the library must keep out of, started in every way there is: they do
what they do unrecorded, are counted, and the summary says so. Kinds that this machine
cannot build are named and left out."""

import atexit
import os
import pathlib
import shutil
import tempfile
import unittest

import harness

HELLO = r"""
#include <stdio.h>
#include <stdlib.h>
int main(void) {
  void *p = malloc(100);
  free(p);
  puts("end");
  return 6;
}
"""

# name: (command without output and source, words of the summary; None: recorded)
KINDS = {
    "glibc": (["gcc"], None),
    "ubsan": (["gcc", "-fsanitize=undefined"], None),
    "ubsan_clang": (["clang", "-fsanitize=undefined"], None),
    "static": (["gcc", "-static"], "statically linked"),
    "static_pie": (["gcc", "-static-pie"], "statically linked"),
    "musl": (["musl-gcc"], "linked with musl"),
    "musl_static": (["musl-gcc", "-static"], "statically linked"),
    "asan": (["gcc", "-fsanitize=address"], "built with AddressSanitizer"),
    "asan_static": (["gcc", "-fsanitize=address", "-static-libasan", "-s"],
                    "built with AddressSanitizer"),
    "asan_cxx": (["g++", "-x", "c++", "-fsanitize=address"],
                 "built with AddressSanitizer"),
    "asan_clang": (["clang", "-fsanitize=address"], "built with AddressSanitizer"),
    "asan_clang_shared": (["clang", "-fsanitize=address", "-shared-libasan"],
                          "built with AddressSanitizer"),
    "tsan": (["gcc", "-fsanitize=thread"], "built with ThreadSanitizer"),
    "tsan_static": (["gcc", "-fsanitize=thread", "-static-libtsan", "-s"],
                    "built with ThreadSanitizer"),
    "tsan_clang": (["clang", "-fsanitize=thread"], "built with ThreadSanitizer"),
    "msan_clang": (["clang", "-fsanitize=memory"], "built with MemorySanitizer"),
    "dfsan_clang": (["clang", "-fsanitize=dataflow"], "built with a sanitizer"),
    "memprof_clang": (["clang", "-fmemory-profile"], "built with a sanitizer"),
    "hwasan": (["gcc", "-fsanitize=hwaddress"], "built with HWAddressSanitizer"),
    "hwasan_clang": (["clang", "-fsanitize=hwaddress"],
                     "built with HWAddressSanitizer"),
    "lsan_clang": (["clang", "-fsanitize=leak"], "built with LeakSanitizer"),
    "x86": (["gcc", "-m32"], "built for another machine"),
}
# Whose malloc is its own: the launcher runs them, and says so.
SANITIZED = [name for name, (_, words) in KINDS.items()
             if words and words.startswith("built with")]

EXECS = ["execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve",
         "fexecve_path", "execveat", "execveat_empty"]
SPAWNS = ["posix_spawn", "posix_spawnp", "posix_spawn_chdir", "posix_spawn_fchdir"]
WAYS = (EXECS + ["vfork_execve", "vfork_execvp", "self_execve", "self_execlp"] + SPAWNS +
        ["system", "popen"])
SEARCH = {"execvp", "execvpe", "execlp", "vfork_execvp", "self_execlp", "posix_spawnp"}
# One of each sort, for kinds that differ in nothing that a way could.
FEW = ["execve", "vfork_execvp", "posix_spawn", "system"]
ALL_WAYS = ("musl", "asan")


class Built:
    """The kinds that can be built and run here, in a directory for all tests."""

    def __init__(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="mallogram-kinds-"))
        atexit.register(shutil.rmtree, self.place, ignore_errors=True)
        (self.place / "in").mkdir()
        self.source = self.place / "hello.c"
        self.source.write_text(HELLO)
        self.plain = {name: result for name in KINDS
                      if (result := self.build(name)) is not None}
        print("cannot be built or run here:",
              ", ".join(name for name in KINDS if name not in self.plain) or "none",
              flush=True)

    def build(self, name):
        """What it does plain; None if it can't be built, or fails plain."""
        command, _ = KINDS[name]
        if shutil.which(command[0]) is None:
            return None
        if "-shared-libasan" in command:  # it lies where no loader looks
            library = harness.run(["clang", "-print-file-name="
                                   "libclang_rt.asan-x86_64.so"]).stdout.decode()
            command = [*command, f"-Wl,-rpath,{os.path.dirname(library)}"]
        program = self.place / name
        if harness.run([*command, "-o", program, self.source]).returncode != 0:
            return None
        result = harness.run([program], cwd=self.place)
        if result.returncode != 6:
            program.unlink()
            return None
        os.link(program, self.place / "in" / name)
        return result


class Kinds(harness.Case):

    built = None

    def setUp(self):
        super().setUp()
        if Kinds.built is None:
            Kinds.built = Built()
        self.place, self.plain = self.built.place, self.built.plain

    def kinds(self, names=KINDS):
        return [name for name in names if name in self.plain]

    def starter(self):
        return pathlib.Path(os.environ["MALLOGRAM_PROGRAMS"]) / "starter"

    def named(self, way, program):
        """The program as that way takes it."""
        if way in SEARCH:
            return program
        if "chdir" in way:
            return f"./{program}"
        return str(self.place / program)

    def env(self, **more):
        return harness.clean_env(PATH=f"/none:{self.place}:{os.environ['PATH']}", **more)

    def start(self, way, program, **kwargs):
        """Recorded, by the starter; the program must not notice."""
        words = [self.starter(), way, self.named(way, program)]
        env = self.env()
        plain = harness.run(words, cwd=self.place, env=env)
        self.assertEqual((plain.returncode, plain.stdout), (6, b"end\n"), plain.stderr)
        out = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        traced = harness.record(words, "-o", f"{out}/", cwd=self.place, env=env)
        text = traced.stderr.decode()
        self.assertEqual((traced.returncode, traced.stdout), (6, b"end\n"), text)
        before, _, summary = text.partition("mallogram: ")
        self.assertEqual(before, plain.stderr.decode())
        return summary, out


class Children(Kinds):

    def check_child(self, name, way):
        words = KINDS[name][1]
        summary, out = self.start(way, name)
        if words is None:
            self.assertNotIn("not recorded", summary)
            programs = [harness.report(path)["processes"][0]["program"]
                        for path in harness.traces(out)]
            self.assertTrue(any(p == name for p in programs), programs)
        else:
            self.assertIn(f"1 process was not recorded: 1 {words}", summary)

    def test_every_kind_in_every_way(self):
        for name in self.kinds():
            for way in WAYS if name in ALL_WAYS else FEW:
                with self.subTest(kind=name, way=way):
                    self.check_child(name, way)

    def test_glibc_children_are_recorded_in_every_way(self):
        for way in WAYS:
            with self.subTest(way=way):
                self.check_child("glibc", way)

    def test_scripts(self):
        for name in self.kinds(("musl", "asan", "static")):
            (self.place / "inner").write_text(f"#!{self.place / name}\n")
            (self.place / "script").write_text(f"#! {self.place}/inner -x\n")
            (self.place / "envied").write_text(f"#!/usr/bin/env {name}\n")
            (self.place / "bare").write_text(f"exec {name}\n")  # no "#!": execvp's sh
            for script in ("inner", "script", "envied", "bare"):
                (self.place / script).chmod(0o755)
            for script, ways in (("inner", FEW), ("script", ["execve"]), ("envied", FEW),
                                 ("bare", ["execvp", "execlp"])):
                for way in ways:
                    with self.subTest(kind=name, way=way, script=script):
                        summary, _ = self.start(way, script)
                        self.assertIn(f"1 process was not recorded: 1 {KINDS[name][1]}",
                                      summary)

    def test_what_was_not_executed_is_not_counted(self):
        """A search that ends at nothing, and a program that cannot be executed."""
        shutil.copy(self.place / "static", self.place / "locked")
        (self.place / "locked").chmod(0o644)
        for way, program in (("execvp", "no-such-program"), ("execve", "locked"),
                             ("posix_spawn", "locked"), ("execvp", "locked")):
            with self.subTest(way=way):
                result = harness.record(
                    [self.starter(), way, self.named(way, program)], "-o",
                    self.dir / f"{way}.mgram", cwd=self.place, env=self.env())
                self.assertIn(result.returncode, (97, 98))
                self.assertNotIn(b"not recorded", result.stderr)

    def test_several_are_counted_by_kind(self):
        names = self.kinds(("static", "musl", "asan_clang"))
        script = "; ".join(f"./{n}; ./{n}" for n in names) + "; exit 0"
        result = self.record(["sh", "-c", script], "-o", self.dir / "x.mgram",
                             cwd=self.place)
        self.assertEqual(result.stdout, b"end\n" * 2 * len(names))
        counts = ", ".join(f"2 {KINDS[n][1]}" for n in names)
        self.assertIn(f"{2 * len(names)} processes were not recorded: {counts}",
                      result.stderr.decode())
        # A report from the file says it, too, and so does one on leaks.
        for verb in ("report", "leaks"):
            told = harness.command(verb, self.dir / "x.mgram")
            self.assertIn(f"2 {KINDS[names[0]][1]}", told.stdout.decode() +
                          told.stderr.decode(), verb)

    def test_users_preload_stays(self):
        """In every child, ours or not; ours only where it does no harm."""
        user = harness.compile_c(self.dir, "libuser.so", "int nothing;", "-shared",
                                 "-fPIC")
        source = self.dir / "show.c"
        source.write_text('#include <stdio.h>\n#include <stdlib.h>\nint main(void) {'
                          ' const char *p = getenv("LD_PRELOAD"); '
                          'puts(p ? p : "none"); return 0; }')
        for command, ours in ((["gcc"], True), (["gcc", "-static"], True),
                              (["gcc", "-fsanitize=address", "-static-libasan"], False),
                              (["musl-gcc"], False)):
            if shutil.which(command[0]) is None:
                continue
            show = self.dir / "show"
            harness.run([*command, "-o", show, source], check=True)
            for preload in (None, user):
                with self.subTest(command=command, preload=preload):
                    env = self.env(**({"LD_PRELOAD": preload} if preload else {}))
                    result = self.record(["sh", "-c", f"{show}; true"], "-q", env=env)
                    right = ":".join(([harness.library()] if ours else []) +
                                     ([preload] if preload else [])) or "none"
                    self.assertEqual(result.stdout.decode().strip(), right)

    def test_children_of_children_are_recorded_again(self):
        """A static shell ignores the library, and hands it on."""
        source = self.dir / "pass.c"
        source.write_text('#include <unistd.h>\nint main(int n, char **v) {'
                          ' return execv(v[1], v + 1); }')
        harness.run(["gcc", "-static", "-o", self.dir / "pass", source], check=True)
        self.record(["sh", "-c", f"{self.dir}/pass {self.place}/glibc; true"], "-q")
        names = [harness.report(path)["processes"][0]["program"]
                 for path in harness.traces(self.dir)]
        self.assertTrue(any(n == "glibc" for n in names), names)


class Launched(Kinds):
    """The same programs as the launcher's own."""

    def launch(self, program, *options, verb=("record",), **kwargs):
        return harness.command(*verb, *options, "--", program, cwd=self.dir,
                               env=self.env(), **kwargs)

    def test_sanitized_programs_run_as_plain_and_are_told(self):
        for name in self.kinds(SANITIZED):
            script = self.place / f"script-{name}"
            script.write_text(f"#!/usr/bin/env {name}\n")
            script.chmod(0o755)
            for program in (self.place / name, name, script):
                for options in ([], ["-q", "-o", "x.mgram"]):
                    with self.subTest(program=program, options=options):
                        stale = self.dir / "x.mgram"
                        shutil.copy(self.example(), stale)
                        result = self.launch(program, *options)
                        text = result.stderr.decode()
                        self.assertEqual((result.returncode, result.stdout),
                                         (6, b"end\n"), text)
                        self.assertEqual(text.count("\n"), 1, text)
                        self.assertIn(KINDS[name][1], text)
                        # An old recording must not pass for this one's.
                        self.assertEqual(stale.exists(), "-o" not in options)
                        self.assertLessEqual(len(harness.traces(self.dir)), 1)

    def example(self):
        path = self.place / "example.mgram"
        if not path.exists():
            harness.record(["true"], "-q", "-o", path, check=True)
        return path

    def sanitized(self, name, source):
        return harness.compile_c(self.dir, name, source, "-fsanitize=address")

    def test_they_have_the_environment_of_plain(self):
        show = self.sanitized("show", '#include <stdio.h>\nextern char **environ;\nint main(void)'
                              ' { for (char **e = environ; *e; ++e) puts(*e); return 0; }')
        env = self.env(OF_THE_USER="yes")
        plain = harness.run([show], env=env, cwd=self.dir)
        traced = harness.record([show], cwd=self.dir, env=env)
        self.assertEqual(traced.stdout, plain.stdout)

    def test_signals_and_descriptors_are_those_of_plain(self):
        die = self.sanitized("die", "#include <signal.h>\nint main(void) {"
                             " raise(SIGKILL); return 0; }")
        result = harness.record([die], cwd=self.dir)
        self.assertEqual(result.returncode, -9)

    def test_leaks_and_check_are_not_green(self):
        fine = self.sanitized("fine", "int main(void) { return 0; }")
        for verb in (("leaks",), ("leaks", "--fail-on", "definite"),
                     ("check", "--max-leak", "0", "--junit", "j.xml"),
                     ("check", "--max-growth", "none")):
            with self.subTest(verb=verb):
                result = self.launch(fine, verb=verb)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(b"built with AddressSanitizer", result.stderr)
                self.assertFalse((self.dir / "j.xml").exists())

    def test_sweep_refuses(self):
        result = harness.command("sweep", "--param", "n=1,2", "--", self.place / "asan",
                                 "{n}", cwd=self.dir)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"built with AddressSanitizer", result.stderr)

    def test_a_sanitizer_in_the_users_preload(self):
        found = harness.run(["gcc", "-print-file-name=libasan.so"]).stdout.decode()
        path = os.path.realpath(found.strip())
        env = self.env(LD_PRELOAD=path)
        plain = harness.run([self.place / "glibc"], env=env)
        result = harness.record([self.place / "glibc"], cwd=self.dir, env=env)
        self.assertEqual((result.returncode, result.stdout),
                         (plain.returncode, plain.stdout), result.stderr)
        self.assertIn(b"a sanitizer", result.stderr)

    def test_musl_and_static_are_refused(self):
        for name in self.kinds(("musl", "musl_static", "static")):
            result = self.launch(self.place / name)
            self.assertEqual((result.returncode, result.stdout), (125, b""))
            self.assertEqual(result.stderr.count(b"\n"), 1)


class Bare(Kinds):
    """With the library in LD_PRELOAD and nobody to say that it should not be."""

    def test_the_library_switches_itself_off(self):
        # With a shared runtime that insists to be first, nothing of ours runs.
        for name in self.kinds(SANITIZED):
            if name in ("asan", "asan_cxx", "asan_clang_shared", "hwasan"):
                continue
            with self.subTest(kind=name):
                result = harness.run([self.place / name], cwd=self.dir,
                                     env=harness.bare_env(self.dir / "x.mgram"))
                self.assertEqual((result.returncode, result.stdout, result.stderr),
                                 (6, b"end\n", self.plain[name].stderr))
                self.assertEqual(harness.traces(self.dir), [])

    def test_and_has_not_set_up_anything(self):
        source = self.dir / "maps.c"
        source.write_text(r"""
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            int main(void) {
              char line[4096];
              int found = 0;
              free(malloc(9));
              FILE *maps = fopen("/proc/self/maps", "r");
              while (fgets(line, sizeof(line), maps))
                found |= strstr(line, "memfd:mallogram") != NULL;
              return found;
            }""")
        for command in (["clang", "-fsanitize=address"], ["clang", "-fsanitize=leak"],
                        ["gcc", "-fsanitize=address", "-static-libasan"], ["gcc"]):
            if shutil.which(command[0]) is None:
                continue
            maps = self.dir / "maps"
            harness.run([*command, "-o", maps, source], check=True)
            result = harness.run([maps], cwd=self.dir, env=harness.bare_env(
                self.dir / "y.mgram", ASAN_OPTIONS="detect_leaks=0"))
            self.assertEqual(result.returncode, 1 if command == ["gcc"] else 0, command)

    def test_relative_preload(self):
        """The loader knows the library by a name that changes with the directory."""
        if "musl" not in self.plain:
            self.skipTest("no musl")
        where = self.dir / "lib"
        where.mkdir()
        shutil.copy(harness.library(), where / "libmallogram.so")
        for preload, path in (("./lib/libmallogram.so", ""), ("libmallogram.so", where)):
            env = harness.clean_env(LD_PRELOAD=preload, MALLOGRAM_SOCKET="/none",
                                    LD_LIBRARY_PATH=path)
            result = harness.run([self.starter(), "execve", self.place / "musl"],
                                 cwd=self.dir, env=env)
            self.assertEqual((result.returncode, result.stdout), (6, b"end\n"),
                             result.stderr)


class Elsewhere(harness.Case):
    """Where the library cannot be read, the loader would say so on stderr."""

    @unittest.skipUnless(os.geteuid() == 0, "needs root for chroot")
    def test_chroot(self):
        root = self.dir / "root"
        for path in ("/bin/true", "/lib64/ld-linux-x86-64.so.2",
                     "/lib/x86_64-linux-gnu/libc.so.6"):
            target = root / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        result = self.record(["chroot", root, "/bin/true"], "-o", self.dir / "x.mgram")
        text = result.stderr.decode()
        self.assertNotIn("cannot be preloaded", text)
        self.assertIn("1 process was not recorded: 1 out of the library's reach", text)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to have another user")
    def test_setuid_children_are_counted(self):
        program = harness.compile_c(
            self.dir, "who", "#include <unistd.h>\n"
            "int main(void) { return geteuid() == 65534 ? 6 : 7; }")
        os.chown(program, 65534, 65534)
        os.chmod(program, 0o4755)
        result = self.record(["sh", "-c", f"{program}; exit $?"], "-o",
                             self.dir / "x.mgram", status=6)
        self.assertIn("1 process was not recorded: 1 privileged",
                      result.stderr.decode())


class Valgrind(harness.Case):

    def setUp(self):
        super().setUp()
        if shutil.which("valgrind") is None:
            self.skipTest("no valgrind")
        self.program = harness.compile_c(self.dir, "hello", HELLO)

    def valgrind(self, tool):
        return self.record(["valgrind", "-q", f"--tool={tool}", self.program], "-o",
                           f"{self.dir}/{tool}/", status=6)

    def test_a_tool_with_its_own_malloc_is_said(self):
        for tool in ("memcheck", "massif", "dhat", "helgrind", "drd"):
            with self.subTest(tool=tool):
                result = self.valgrind(tool)
                self.assertIn(b"end\n", result.stdout)
                self.assertIn("1 process was not recorded: 1 under Valgrind",
                              result.stderr.decode())

    def test_one_without_is_recorded(self):
        result = self.valgrind("callgrind")
        self.assertNotIn("not recorded", result.stderr.decode())
        names = [harness.report(path)["processes"][0]["program"]
                 for path in harness.traces(self.dir / "callgrind")]
        self.assertTrue(any("hello" in n or "callgrind" in n for n in names), names)

    def test_bare(self):
        result = harness.run(["valgrind", "-q", self.program], cwd=self.dir,
                             env=harness.bare_env(f"{self.dir}/bare/"))
        self.assertEqual(result.returncode, 6, result.stderr)


if __name__ == "__main__":
    harness.main()
