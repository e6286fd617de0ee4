"""tools/install takes of "a | b" what is installed, else the first that apt knows: with
an apt of the test's own, of which each test says what it knows."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

FAKES = {
    "dpkg-query": r"""
for name in $INSTALLED; do echo "$name installed"; done
echo "removed config-files"
""",
    # A name that others provide has an entry, but no version.
    "apt-cache": r"""
shift
for name in "$@"; do
  case " $(cat "$LISTS") " in
    *" $name "*) printf '%s:\n  Installed: (none)\n  Candidate: 1.0-1\n' "$name" ;;
    *) printf '%s:\n  Installed: (none)\n  Candidate: (none)\n' "$name" ;;
  esac
done
""",
    "apt-get": r"""
echo "$@" >>"$CALLS"
case "$*" in *update*) cp "$NEW_LISTS" "$LISTS" ;; esac
""",
    "sudo": "shift; [ $# -eq 0 ] || \"$@\"\n",
}


class Install(unittest.TestCase):

    def install(self, packages, installed="", known="", known_after_update=None,
                section="build"):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "tools").mkdir()
            (root / "bin").mkdir()
            shutil.copy(ROOT / "tools/install", root / "tools")
            (root / "tools/packages.txt").write_text(
                f"# Of people.\n\n# [build]\n{packages}\n# [run]\nother\n")
            for tool, text in FAKES.items():
                (root / "bin" / tool).write_text("#!/bin/bash\n" + text)
                (root / "bin" / tool).chmod(0o755)
            (root / "lists").write_text(known)
            (root / "new").write_text(known if known_after_update is None
                                      else known_after_update)
            (root / "calls").touch()
            done = subprocess.run(
                [root / "tools/install", section], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env={**os.environ, "PATH": f"{root}/bin:{os.environ['PATH']}",
                     "INSTALLED": installed, "LISTS": str(root / "lists"),
                     "NEW_LISTS": str(root / "new"), "CALLS": str(root / "calls")})
            calls = [line.split(" ") for line in (root / "calls").read_text().splitlines()]
            # (update or not, what was installed, status, output)
            return (any("update" in call for call in calls),
                    [word for call in calls if "install" in call
                     for word in call[call.index("--no-install-recommends") + 1:]],
                    done.returncode, done.stdout)

    def test_first_that_apt_knows(self):
        self.assertEqual(self.install("one | two", known="one two")[:3],
                         (False, ["one"], 0))
        self.assertEqual(self.install("one | two | three", known="two three")[:3],
                         (False, ["two"], 0))

    def test_what_is_installed_counts(self):
        update, names, status, out = self.install("one | two\nthree", "two three", "one")
        self.assertEqual((update, names, status), (False, [], 0), out)
        self.assertIn("all 2 of [build] are installed", out)
        # The name of another package is no part of it.
        self.assertEqual(self.install("one", "one-dev removed", "one")[1], ["one"])

    def test_unknown_names_wait_for_new_lists(self):
        self.assertEqual(self.install("one | two", known_after_update="two")[:3],
                         (True, ["two"], 0))

    def test_nothing_is_installed_if_a_name_stays_unknown(self):
        update, names, status, out = self.install("one | two\nthree", known="three")
        self.assertEqual((update, names, status), (True, [], 1), out)
        self.assertIn("  one | two\n", out)

    def test_section_that_is_not_there(self):
        self.assertEqual(self.install("one", section="none")[2], 2)

    def test_the_list_of_this_tree(self):
        """A line is names, joined by " | ": no version, no comma."""
        for line in (ROOT / "tools/packages.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r"^[a-z0-9][a-z0-9.+-]+( \| [a-z0-9][a-z0-9.+-]+)*$")


if __name__ == "__main__":
    unittest.main()
