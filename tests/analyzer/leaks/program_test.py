"""`mallogram leaks PROGRAM`: the program's streams and status, where the report goes,
what stays behind; and the verdicts on a program whose losses are known.
"""

import json
import os
import pathlib
import signal
import subprocess

import harness

LOSSY = os.environ["LOSSY"]
SOURCE = pathlib.Path(__file__).with_name("lossy.cc")


def line_of(marker):
    for number, text in enumerate(SOURCE.read_text().splitlines(), 1):
        if text.endswith(f"// {marker}"):
            return number
    raise AssertionError(marker)


class LeaksProgramTest(harness.Case):
    def leaks(self, *arguments, **kwargs):
        temporary = self.dir / "tmp"
        temporary.mkdir(exist_ok=True)
        env = harness.clean_env(LC_ALL="C.UTF-8", TMPDIR=temporary)
        result = harness.command("leaks", *arguments, cwd=self.dir, env=env, **kwargs)
        self.assertEqual(list(temporary.iterdir()), [], "left behind")
        return result

    def verdict(self, *words):
        result = self.leaks("--json=out.json", "--", LOSSY, *words)
        return result, harness.whole_leaks((self.dir / "out.json").read_text())

    def test_streams_are_the_program_s(self):
        result = self.leaks(LOSSY, "none", "--json", "--help", input=b"in\nput")
        self.assertEqual(result.stdout, b"in\nput")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stderr.startswith(b"no leaks: lossy (pid "), result.stderr)
        self.assertEqual(harness.traces(self.dir), [])

    def test_json_follows_the_output(self):
        result = self.leaks("--json", LOSSY, "definite", input=b"first\n")
        self.assertTrue(result.stdout.startswith(b"first\n{"))
        document = harness.whole_leaks(result.stdout[6:])
        self.assertIsNone(document["process"]["file"])
        self.assertEqual(document["process"]["command"], [LOSSY, "definite"])
        self.assertEqual(result.stderr, b"")

    def test_status(self):
        self.assertEqual(self.leaks(LOSSY, "none", "exit", "7").returncode, 7)
        self.assertEqual(self.leaks(LOSSY, "definite", "exit", "7").returncode, 7)
        fail = ("--fail-on", "definite")
        self.assertEqual(self.leaks(*fail, LOSSY, "none", "exit", "7").returncode, 7)
        self.assertEqual(self.leaks(*fail, LOSSY, "definite", "exit", "7").returncode, 23)
        self.assertEqual(self.leaks(*fail, LOSSY, "reachable").returncode, 0)
        dead = self.leaks(LOSSY, "none", "kill", str(int(signal.SIGTERM)))
        self.assertEqual(dead.returncode, 128 + signal.SIGTERM)

    def test_kept_recording(self):
        result = self.leaks("--recording", "kept.mgram", LOSSY, "definite")
        self.assertEqual(result.returncode, 0, result.stderr)
        again = harness.command("leaks", "kept.mgram", cwd=self.dir,
                                env=harness.clean_env(LC_ALL="C.UTF-8"))
        self.assertEqual(again.stdout, result.stderr)

    def test_children_are_reported_behind_their_parent(self):
        script = f"{LOSSY} definite; {LOSSY} possible; exit 3"
        old = self.dir / "kept.old.1.mgram"
        old.write_text("an older file, not ours")
        os.utime(old, (1, 1))
        for where in ([], ["--recording", "kept.mgram"]):
            result = self.leaks("--json=out.json", *where, "sh", "-c", script)
            self.assertEqual(result.returncode, 3, result.stderr)
            document = harness.whole_leaks((self.dir / "out.json").read_text())
            self.assertEqual(document["process"]["command"][0], "sh")
            lossy = [p for p in document["processes"] if p["program"] == "lossy"]
            self.assertEqual([p["command"][1] for p in lossy], ["definite", "possible"])
            self.assertEqual(document["summary"]["definite"]["blocks"], 1)

    def test_programs_that_cannot_be_run(self):
        for words in (["no-such-program"], [str(SOURCE)]):
            result = self.leaks(*words)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)

    def test_mistakes_in_suppressions_come_before_the_run(self):
        (self.dir / "x.supp").write_text("nonsense\n")
        result = self.leaks("--suppressions", "x.supp", LOSSY, "none", input=b"in")
        self.assertEqual((result.returncode, result.stdout), (2, b""))
        self.assertIn(b"x.supp:1:", result.stderr)

    def test_verdicts(self):
        for what, kind, blocks, size, line in (
                ("definite", "definite", 1, 1234, line_of("DEFINITE")),
                ("indirect", "definite", 1, 64, line_of("INDIRECT")),
                ("possible", "possible", 1, 500, line_of("POSSIBLE"))):
            with self.subTest(what=what):
                _, document = self.verdict(what)
                lost = [r for r in document["records"]
                        if r["kind"] in ("definite", "possible")]
                self.assertEqual(len(lost), 1, lost)
                self.assertEqual((lost[0]["kind"], lost[0]["blocks"], lost[0]["bytes"]),
                                 (kind, blocks, size))
                own = next(f for f in lost[0]["stack"] if not f["folded"])
                self.assertEqual((os.path.basename(own["file"]), own["line"]),
                                 ("lossy.cc", line))
        _, document = self.verdict("indirect")
        lost = document["records"][0]
        self.assertEqual((lost["indirect_blocks"], lost["indirect_bytes"]), (9, 9 * 64))

    def test_reachable_says_who_holds_it(self):
        _, document = self.verdict("reachable")
        nodes = [r for r in document["records"] if r["container"] == "a node of std::map"]
        self.assertEqual(sum(r["blocks"] for r in nodes), 100, document["records"])
        self.assertEqual({r["kind"] for r in nodes}, {"reachable"})
        self.assertEqual(nodes[0]["root"]["name"], "kept_")
        self.assertIn("global `kept_`", nodes[0]["why"])
        for kind in ("definite", "indirect", "possible"):
            self.assertEqual(document["summary"][kind]["blocks"], 0, kind)

    def test_sigkill_is_not_classified(self):
        result = self.leaks(LOSSY, "definite", "kill", "9")
        self.assertEqual(result.returncode, 128 + 9)
        self.assertIn(b"not classified: killed", result.stderr)
        self.assertIn(b"LoseOne", result.stderr)

    def test_living_process(self):
        recorder = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "-o", "live.mgram", LOSSY, "definite",
             "hold"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=self.dir,
            env=harness.clean_env())
        self.addCleanup(recorder.stdout.close)
        pid = recorder.stdout.readline().decode().strip()
        try:
            first = self.leaks("--pid", pid, "--fail-on", "definite")
            self.assertEqual(first.returncode, 23, first.stderr)
            self.assertIn(b"LoseOne", first.stdout)
            second = self.leaks("--pid", pid, "--since", "1", "--fail-on", "definite")
            self.assertEqual(second.returncode, 0, second.stderr)
            self.assertIn(b"nothing new", second.stdout)
        finally:
            os.kill(int(pid), signal.SIGTERM)
            recorder.wait(harness.LIMIT)
        info = json.loads(harness.command("info", "--json", "live.mgram",
                                          cwd=self.dir).stdout)
        self.assertEqual([c["cause"] for c in info["leak_checks"]][:2],
                         ["command", "command"])
        nobody = self.leaks("--pid", str(os.getpid()))
        self.assertEqual((nobody.returncode, nobody.stdout), (1, b""))
        self.assertEqual(nobody.stderr.count(b"\n"), 1, nobody.stderr)


if __name__ == "__main__":
    harness.main()
