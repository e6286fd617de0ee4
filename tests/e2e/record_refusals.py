"""Bad input: one clear line each, a non-zero exit, and nothing has run."""

import os
import pathlib
import shutil
import subprocess

import harness


def installed(directory):
    """A copy of command and library as an installation lays them out, that other
    users can reach; returns the command."""
    binary = pathlib.Path(directory) / "bin" / "mallogram"
    library = pathlib.Path(directory) / "lib" / "mallogram" / "libmallogram.so"
    for source, target in ((harness.mallogram(), binary), (harness.library(), library)):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        target.chmod(0o755)
    return str(binary)


def as_nobody():
    """Arguments of subprocess that make it an unprivileged user's, whoever we are."""
    if os.geteuid() == 0:
        return {"user": 65534, "group": 65534, "extra_groups": []}
    return {}


class Refused(harness.Case):

    def refused(self, result, status, *words):
        super().refused(result, status, words)
        # Neither a trace nor a probe is left.
        self.assertEqual([p for p in os.listdir(self.dir) if "mgram" in p], [])

    def attempt(self, *args, **kwargs):
        kwargs.setdefault("cwd", self.dir)
        return harness.command(*args, **kwargs)


class Programs(Refused):

    def test_none(self):
        self.refused(self.attempt("record"), 125, "no program given")
        self.refused(self.attempt("record", "-q", "--"), 125, "no program given")

    def test_missing(self):
        self.refused(self.attempt("no-such-program-here"), 127, "no-such-program-here",
                     "not found")
        self.refused(self.attempt("record", "./nothing"), 127, "./nothing",
                     "No such file")

    def test_directory(self):
        self.refused(self.attempt("record", "/usr"), 126, "/usr is a directory")

    def test_not_executable(self):
        plain = self.dir / "plain"
        plain.write_text("#!/bin/sh\n")
        self.refused(self.attempt("record", plain), 126, "not executable")

    def test_in_path_but_not_executable(self):
        (self.dir / "odd-command").write_text("x")
        env = harness.clean_env(PATH=f"{self.dir}:/bin")
        self.refused(self.attempt("record", "odd-command", env=env), 126,
                     "not executable")

    def test_static(self):
        for flags in (("-static",), ("-static-pie", "-fPIE")):
            with self.subTest(flags=flags):
                program = harness.compile_c(self.dir, "static", "int main(){return 0;}",
                                            *flags)
                self.refused(self.attempt("record", program), 125,
                             "statically linked")

    def test_script_of_a_static_interpreter(self):
        program = harness.compile_c(self.dir, "static", "int main(){return 0;}",
                                    "-static")
        script = self.dir / "script"
        script.write_text(f"#! {program} -x\n")
        script.chmod(0o755)
        self.refused(self.attempt("record", script), 125, "script", "statically linked")

    def test_script_of_a_missing_interpreter(self):
        script = self.dir / "script"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        self.refused(self.attempt("record", script), 127, "/no/such/interpreter")

    def elf(self, name, machine, bits):
        """The head of an ELF executable of another machine."""
        head = bytearray(pathlib.Path("/bin/true").read_bytes())
        head[4] = {32: 1, 64: 2}[bits]
        head[18:20] = machine.to_bytes(2, "little")
        path = self.dir / name
        path.write_bytes(head)
        path.chmod(0o755)
        return path

    def test_other_machines(self):
        self.refused(self.attempt("record", self.elf("x86", 3, 32)), 125, "32-bit x86")
        self.refused(self.attempt("record", self.elf("arm", 183, 64)), 125,
                     "64-bit ARM")
        self.refused(self.attempt("record", self.elf("x32", 62, 32)), 125, "x32")
        self.refused(self.attempt("record", self.elf("odd", 4711, 64)), 125,
                     "another machine")

    def test_truncated_elf(self):
        for size in (4, 20, 63, 64, 100, 200):
            with self.subTest(size=size):
                path = self.dir / "short"
                path.write_bytes(pathlib.Path("/bin/true").read_bytes()[:size])
                path.chmod(0o755)
                result = self.attempt("record", "-q", path)
                self.assertIn(result.returncode, (125, 126, 127))
                self.assertLessEqual(result.stderr.count(b"\n"), 2)


class Privileges(Refused):

    def setuid_copy(self, mode, owner=0):
        program = self.dir / "privileged"
        shutil.copy("/bin/true", program)
        if owner != os.geteuid():
            os.chown(program, owner, owner)
        program.chmod(mode)
        return program

    def system_setuid(self):
        for name in ("su", "passwd", "mount", "chsh", "newgrp"):
            path = shutil.which(name, path="/bin:/usr/bin")
            if path and os.stat(path).st_mode & 0o4000 and os.stat(path).st_uid == 0:
                return path
        self.skipTest("no setuid root program here")
        return None

    def test_setuid_root_as_a_user(self):
        command = installed(self.dir)
        work = self.dir / "work"
        work.mkdir()
        work.chmod(0o777)
        result = harness.run([command, self.system_setuid()], cwd=work, **as_nobody())
        self.refused_in(work, result, "setuid root")

    def refused_in(self, work, result, *words):
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 125, text)
        self.assertEqual(text.count("\n"), 1, text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(os.listdir(work), [])

    def test_setuid_of_another_user_as_root(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        self.refused(self.attempt("record", self.setuid_copy(0o4755, 65534)), 125,
                     "setuid nobody")
        self.refused(self.attempt("record", self.setuid_copy(0o2755, 65534)), 125,
                     "setgid")

    def test_setuid_that_changes_nothing_is_recorded(self):
        # Setuid to oneself: the loader keeps LD_PRELOAD.
        program = self.setuid_copy(0o6755, os.geteuid())
        result = self.attempt("record", "-q", "-o", "own.mgram", program)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertTrue(harness.trailer_ok(self.dir / "own.mgram"))

    def test_file_capabilities(self):
        program = self.setuid_copy(0o755, os.geteuid())
        if shutil.which("setcap") is None or os.geteuid() != 0 or subprocess.run(
                ["setcap", "cap_net_raw+ep", program]).returncode != 0:
            self.skipTest("cannot set file capabilities here")
        command = installed(self.dir)
        work = self.dir / "work"
        work.mkdir()
        work.chmod(0o777)
        result = harness.run([command, program], cwd=work, **as_nobody())
        self.refused_in(work, result, "capabilities")


class Outputs(Refused):

    def test_not_a_trace(self):
        precious = self.dir / "precious"
        precious.write_text("do not lose me\n")
        self.refused(self.attempt("record", "-o", precious, "true"), 125,
                     "not a trace")
        self.assertEqual(precious.read_text(), "do not lose me\n")

    def test_neither_device_nor_link(self):
        # A pipe for the device: root's mistake must not cost the machine /dev/null.
        device = self.dir / "device"
        os.mkfifo(device)
        self.refused(self.attempt("record", "-o", device, "true"), 125, "not a trace")
        target = self.dir / "target"
        target.write_text("mine")
        link = self.dir / "link"
        link.symlink_to(target)
        self.refused(self.attempt("record", "-o", link, "true"), 125, "not a trace")
        self.assertEqual(target.read_text(), "mine")

    def test_standard_output(self):
        self.refused(self.attempt("record", "-o", "-", "true"), 125, "standard output")

    def test_missing_directory(self):
        self.refused(self.attempt("record", "-o", "no/such/x.mgram", "true"), 125,
                     "no/such/", "No such file")

    def test_unwritable_directory(self):
        command = installed(self.dir)
        locked = self.dir / "locked"
        locked.mkdir()
        locked.chmod(0o555)
        work = self.dir / "work"
        work.mkdir()
        work.chmod(0o777)
        for cwd, options in ((locked, ()), (work, ("-o", locked / "x")),
                             (work, ("-o", locked)), (work, ("-o", f"{locked}/new/"))):
            with self.subTest(options=options):
                marker = work / "marker"
                result = harness.run([command, "record", *options, "touch", marker],
                                     cwd=cwd, **as_nobody())
                text = result.stderr.decode()
                self.assertEqual(result.returncode, 125, text)
                self.assertEqual(text.count("\n"), 1, text)
                self.assertIn("Permission denied", text)
                self.assertFalse(marker.exists(), "the program ran")

    def on_small_disk(self, size, script):
        """Runs a script in a mount namespace where "$1" is a tmpfs of that size."""
        disk = self.dir / "disk"
        disk.mkdir(exist_ok=True)
        private = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        whole = f'mount -t tmpfs -o size={size} none "$1" || exit 99; {script}'
        result = harness.run([*private, "sh", "-c", whole, harness.mallogram(), disk],
                             cwd=self.dir)
        if result.returncode == 99:
            self.skipTest("cannot mount a tmpfs here")
        return result

    def test_disk_full_before(self):
        result = self.on_small_disk(
            "64k", 'dd if=/dev/zero of="$1/fill" bs=4k 2>/dev/null; '
            'exec "$0" record -o "$1/x.mgram" true')
        self.refused(result, 125, "No space left")

    def test_disk_full_meanwhile(self):
        # The program runs to its end, undisturbed; then one line and our own status.
        script = ('"$0" record -q -o "$1/x.mgram" /usr/bin/python3 -c "%s"; status=$?; '
                  'cp "$1/x.mgram" kept; exit $status')
        work = ("import random; x = [bytes(random.randrange(600, 9000)) "
                "for i in range(200000)]; print(len(x))")
        result = self.on_small_disk("64k", script % work)
        text = result.stderr.decode()
        self.assertEqual(result.stdout, b"200000\n")
        self.assertEqual(result.returncode, 125, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertIn("x.mgram is incomplete", text)
        self.assertIn("No space left", text)
        # What did fit is readable.
        self.assertIn("totals", harness.report(self.dir / "kept"))

    def test_disk_full_does_not_hide_the_programs_failure(self):
        script = ('exec "$0" record -q -o "$1/x.mgram" /usr/bin/python3 -c "%s"')
        work = ("import random; x = [bytes(random.randrange(600, 9000)) "
                "for i in range(200000)]; raise SystemExit(3)")
        result = self.on_small_disk("64k", script % work)
        self.assertEqual(result.returncode, 3, result.stderr.decode())
        self.assertIn(b"No space left", result.stderr)

    def test_childs_file_in_a_place_that_went_away(self):
        # The directory vanishes after the start: children are unrecorded, not harmed.
        # rm is recorded as well, so that its own file may appear while rm works.
        result = harness.record(
            ["sh", "-c", "until set -- there/*.mgram; [ -e $1 ]; do :; done; "
             "until rm -r there 2>/dev/null; do :; done; ls / >/dev/null && (echo still here)"],
            "-q", "-o", "there/", cwd=self.dir)
        self.assertEqual(result.stdout, b"still here\n")
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 0, text)
        self.assertIn("could not be recorded", text)
        self.assertIn("No such file", text)


class Options(Refused):

    def test_mistyped(self):
        self.refused(self.attempt("record", "--quite", "true"), 125, "--quite",
                     "did you mean --quiet?")
        self.refused(self.attempt("record", "--max-deph=3", "true"), 125,
                     "did you mean --max-depth?")
        self.refused(self.attempt("record", "-Z", "true"), 125, "-Z")
        self.refused(self.attempt("record", "--zzzzzz", "true"), 125, "mallogram help record")
        self.refused(self.attempt("record", "--out", "true"), 125, "did you mean --output?")

    def test_bad_values(self):
        for value in ("0", "-1", "x", "", "99999999999"):
            self.refused(self.attempt("record", f"--max-depth={value}", "true"), 125,
                         "--max-depth")
        self.refused(self.attempt("record", "--on-full", "maybe", "true"), 125,
                     "wait or drop")
        self.refused(self.attempt("record", "-o"), 125, "needs a value")
        self.refused(self.attempt("record", "-o", "", "true"), 125, "-o needs a value")

    def test_allocators(self):
        self.refused(self.attempt("record", "--allocator", "jemaloc", "true"), 125,
                     "did you mean jemalloc?")
        self.refused(self.attempt("record", "--allocator", "/no/such.so", "true"), 125,
                     "/no/such.so")
        text = self.dir / "text.so"
        text.write_text("not a library\n")
        self.refused(self.attempt("record", "--allocator", text, "true"), 125,
                     "not a shared library")

    def test_mistyped_verb(self):
        result = self.attempt("reprot", "x.mgram")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"report", result.stderr)
        self.assertEqual(result.stderr.count(b"\n"), 1)

    def test_collect_is_not_for_people(self):
        self.refused(self.attempt("collect"), 125, "by the library")

    def test_library_missing(self):
        command = pathlib.Path(installed(self.dir / "tree"))
        (self.dir / "tree/lib/mallogram/libmallogram.so").unlink()
        result = harness.run([command, "true"], cwd=self.dir)
        self.refused(result, 125, "libmallogram.so was not found")

    def test_installed_layout_works(self):
        command = installed(self.dir / "tree")
        result = harness.run([command, "-q", "-o", "x.mgram", "ls"], cwd=self.dir)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertGreater(harness.totals(self.dir / "x.mgram")["allocations"], 0)


if __name__ == "__main__":
    harness.main()
