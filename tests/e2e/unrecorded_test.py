"""Processes that are not recorded, and every way into the library from them.

Two lists make the pairs: why there is no image (tests/programs/unrecorded.cc, and
here), and the entry points that the library wraps. In each pair the program must do
what it does plain, to the byte and to the status.
"""

import os
import pathlib
import shutil
import subprocess
import unittest.mock

import harness

PROGRAM = str(pathlib.Path(os.environ["MALLOGRAM_PROGRAMS"]) / "unrecorded")
ROOT = os.geteuid() == 0

# Under the launcher; the program makes itself one that is not recorded. (The first: a
# control, in which it is.)
INSIDE = ["here", "forked", "sandbox", "collector-killed", "raw-sandbox-exec"]
# Need CAP_SYS_ADMIN.
INSIDE_AS_ROOT = ["chroot", "user"]


def entries():
    return harness.run([PROGRAM], check=True).stdout.decode().split()


class Unrecorded(harness.Case):
    def plain(self, entry, environment=None):
        result = harness.run([PROGRAM, "here", entry], env=environment)
        self.assertEqual(result.returncode, 7, result.stderr)
        return result.stdout

    def compare(self, reason, entry, result):
        with self.subTest(reason=reason, entry=entry):
            self.assertEqual(
                (result.stdout, result.returncode),
                (self.plain(entry), 7), result.stderr)

    def inside(self, reasons):
        for reason in reasons:
            for entry in entries():
                self.compare(reason, entry,
                             harness.record([PROGRAM, reason, entry], "-q", cwd=self.dir))

    def test_of_its_own_doing(self):
        self.inside(INSIDE)

    def test_as_another_user(self):
        if not ROOT:
            self.skipTest("needs root")
        self.inside(INSIDE_AS_ROOT)

    # The library alone, in an environment in which it finds nobody.

    def preloaded(self, reason, environment, prefix=()):
        for entry in entries():
            self.compare(reason, entry, harness.run(
                [*prefix, PROGRAM, "here", entry], env=environment, cwd=self.dir))

    def test_nobody_listens(self):
        self.preloaded("no socket", harness.bare_env(
            MALLOGRAM_SOCKET=self.dir / "nobody"))

    def test_impossible_socket(self):
        self.preloaded("socket's name too long", harness.bare_env(
            MALLOGRAM_SOCKET="/" + 200 * "x"))

    def test_no_command(self):
        moved = self.dir / "moved.so"
        shutil.copy(harness.library(), moved)
        self.preloaded("library moved", harness.clean_env(LD_PRELOAD=moved))

    def test_no_room_for_an_image(self):
        self.preloaded("file size limit", harness.bare_env(),
                       prefix=["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh"])


class HiddenSocket(harness.Case):
    """What hides the socket's directory does not hide the collector."""

    def accounts(self, argv):
        self.record(argv, "-q")
        return [harness.report(trace) for trace in harness.traces(self.dir)]

    def setUp(self):
        super().setUp()
        if not ROOT:
            self.skipTest("needs root")
        os.chmod(self.dir, 0o777)
        self.use_a_copy_that_all_can_read()
        self.program = harness.compile_c(self.dir, "hundred", """
            #include <stdlib.h>
            int main() { for (int i = 0; i < 100; ++i) free(malloc(10)); return 0; }
            """)

    def use_a_copy_that_all_can_read(self):
        """The build may lie in a home directory, where no other user's loader finds it."""
        command, library = self.dir / "b/analyzer/mallogram", self.dir / "b/preload"
        command.parent.mkdir(parents=True)
        library.mkdir()
        shutil.copy(harness.mallogram(), command)
        for built in pathlib.Path(harness.library()).parent.glob("libmallogram*.so"):
            shutil.copy(built, library)
        copied = unittest.mock.patch.dict(os.environ, MALLOGRAM=str(command), MALLOGRAM_LIB=str(
            library / pathlib.Path(harness.library()).name))
        copied.start()
        self.addCleanup(copied.stop)

    def of_program(self, argv):
        found = [one for one in self.accounts(argv)
                 if one["processes"][0]["program"] == "hundred"]
        self.assertEqual(len(found), 1, argv)
        self.assertEqual(found[0]["totals"]["allocations"], 100)

    def test_another_user(self):
        self.of_program(["setpriv", "--reuid", "65534", "--clear-groups", self.program])

    def test_su(self):
        self.of_program(["su", "nobody", "-s", "/bin/sh", "-c", self.program])

    def test_private_tmp(self):
        # The library and the program are elsewhere; only the meeting place is hidden.
        program = pathlib.Path(os.environ["MALLOGRAM_PROGRAMS"]) / "unrecorded"
        self.record(["unshare", "--mount", "sh", "-c",
                     f"mount -t tmpfs none /tmp && exec {program} here malloc"],
                    "-q", "-o", self.dir / "t", status=7)

    def test_another_network(self):
        self.of_program(["unshare", "--net", self.program])


if __name__ == "__main__":
    harness.main()
