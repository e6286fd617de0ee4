"""Plots as gnuplot draws them: both files of every sample, read back.

files_test.py GALLERY [--browser]

--browser opens every SVG in chromium instead (Debian: chromium).
"""

import os
import pathlib
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
import zlib

GALLERY = os.path.abspath(sys.argv[1])
BROWSER = "--browser" in sys.argv[2:]
SVG = "{http://www.w3.org/2000/svg}"
DOTS_PER_METRE = 11811  # 300 an inch
WIDTH = 1950            # 6.5 inches


def png_chunks(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    at, chunks = 8, []
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        content = data[at + 8:at + 8 + length]
        (checksum,) = struct.unpack(">I", data[at + 8 + length:at + 12 + length])
        assert checksum == zlib.crc32(kind + content), (path, kind)
        chunks.append((kind, content))
        at += 12 + length
    return chunks


def texts_of(path):
    return [node.text or "" for node in ElementTree.parse(path).iter(SVG + "text")]


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.dir = pathlib.Path(scratch.name) / "it's \"plots\" $(x) é"
        cls.dir.mkdir()
        done = cls.draw(cls.dir)
        assert done.returncode == 0 and not done.stderr, done.stderr

    @classmethod
    def draw(cls, directory, *samples, **kwargs):
        return subprocess.run([GALLERY, directory, *samples], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False,
                              cwd=cls.dir, **kwargs)


@unittest.skipIf(BROWSER, "browser only")
class FilesTest(Files):
    def test_nothing_else_is_left(self):
        stems = {path.stem for path in self.dir.iterdir()}
        self.assertEqual({path.name for path in self.dir.iterdir()},
                         {stem + end for stem in stems for end in (".svg", ".png")})
        self.assertGreater(len(stems), 15)

    def test_png_is_300_dpi(self):
        for path in self.dir.glob("*.png"):
            chunks = png_chunks(path)
            width, height = struct.unpack(">II", chunks[0][1][:8])
            self.assertEqual(width, WIDTH, path)
            self.assertTrue(1000 <= height <= 1900, (path, height))
            self.assertEqual([content for kind, content in chunks if kind == b"pHYs"],
                             [struct.pack(">IIB", DOTS_PER_METRE, DOTS_PER_METRE, 1)])

    def test_svg_and_png_have_one_shape(self):
        for path in self.dir.glob("*.svg"):
            root = ElementTree.parse(path).getroot()
            size = [float(root.get(name)) for name in ("width", "height")]
            width, height = struct.unpack(
                ">II", png_chunks(path.with_suffix(".png"))[0][1][:8])
            self.assertAlmostEqual(size[0] * 3.125, width, delta=1)
            self.assertAlmostEqual(size[1] * 3.125, height, delta=1)

    def test_svg_is_tidy(self):
        for path in self.dir.glob("*.svg"):
            for line in path.read_text().split("\n"):
                self.assertEqual(line, line.rstrip(), path)

    def test_no_command_of_a_name_ran(self):
        self.assertFalse((self.dir / "pwned").exists())
        # What is shown is the name, not what gnuplot or XML would make of it.
        shown = "\n".join(texts_of(self.dir / "ugly-scaling.svg"))
        self.assertIn("evil`touch pwned`?END_OF_TEXTS?system('touch pwned')", shown)
        self.assertNotIn("\x1b", shown)

    def test_labels(self):
        texts = texts_of(self.dir / "chunks-scaling.svg")
        for text in ("Test 4: memory scaling linearity", "chunks",
                     "heap bytes after storing", "budget 100 MB", "O(1)", "O(log n)",
                     "O(n)", "memory: linear, 4 kB + 1.55 kB·n",
                     "law beyond the measured sizes", "95 % band of the law"):
            self.assertIn(text, texts)
        self.assertTrue({"1,000", "10,000", "100,000", "10 MB"} <=
                        {text.strip() for text in texts}, texts)
        for path in self.dir.glob("*.svg"):
            for text in texts_of(path):
                self.assertNotRegex(text, r"\de[+-]?\d", path)

    def test_curves(self):
        """A mark for every measured point: two variants, six sizes."""
        svg = ElementTree.parse(self.dir / "chunks-scaling.svg")
        # White ones clear the place of a mark with error bars.
        marks = [node.get("{http://www.w3.org/1999/xlink}href")
                 for node in svg.iter(SVG + "use")
                 if "translate" in (node.get("transform") or "")
                 and node.get("color") != "#FFFFFF"]
        self.assertEqual(marks.count("#gpPt6"), 6 + 1)  # and the legend's
        self.assertEqual(marks.count("#gpPt4"), 6 + 1)

    def test_single_runs(self):
        self.assertEqual(texts_of(self.dir / "encoder-distribution.svg").count(
            "single run"), 2)

    def test_same_files_again(self):
        with tempfile.TemporaryDirectory() as again:
            self.assertEqual(self.draw(again, "chunks-scaling").returncode, 0)
            for name in ("chunks-scaling.svg", "chunks-scaling.png"):
                self.assertEqual((pathlib.Path(again) / name).read_bytes(),
                                 (self.dir / name).read_bytes())

    @unittest.skipUnless(shutil.which("rsvg-convert"), "no rsvg-convert")
    def test_another_renderer_draws_the_svg(self):
        for path in self.dir.glob("*.svg"):
            done = subprocess.run(["rsvg-convert", path], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""), path)

    # ---- what goes wrong --------------------------------------------------

    def fails(self, text, directory, **kwargs):
        done = self.draw(directory, "sessions-scaling", **kwargs)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(text, done.stderr)

    def test_no_gnuplot(self):
        with tempfile.TemporaryDirectory() as empty:
            self.fails("Debian: gnuplot-nox", empty, env={**os.environ, "PATH": empty})
            self.assertEqual(os.listdir(empty), [])

    def test_gnuplot_that_fails(self):
        with tempfile.TemporaryDirectory() as fake:
            program = pathlib.Path(fake) / "gnuplot"
            program.write_text("#!/bin/sh\necho a; echo line 3: no such terminal >&2\n"
                               "echo >&2\nexit 1\n")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            self.fails("gnuplot: line 3: no such terminal", fake,
                       env={**os.environ, "PATH": fake + ":/usr/bin:/bin"})
            self.assertEqual(os.listdir(fake), ["gnuplot"])

    def test_gnuplot_that_writes_nothing(self):
        with tempfile.TemporaryDirectory() as fake:
            (pathlib.Path(fake) / "gnuplot").symlink_to("/bin/true")
            self.fails("gnuplot wrote no SVG", fake, env={**os.environ, "PATH": fake})

    def test_no_directory(self):
        self.fails("can't write plots into /nowhere/at/all", "/nowhere/at/all")

    def test_start_up_file_is_not_read(self):
        with tempfile.TemporaryDirectory() as home:
            (pathlib.Path(home) / ".gnuplot").write_text("exit status 3\n")
            done = self.draw(home, "sessions-scaling", env={**os.environ, "HOME": home})
            self.assertEqual(done.returncode, 0, done.stderr)


@unittest.skipUnless(BROWSER and shutil.which("chromium"), "no browser")
class BrowserTest(Files):
    def test_chromium_draws_the_svg(self):
        for name in ("chunks-scaling", "ugly-scaling", "chunks-decomposition"):
            picture = self.dir / (name + "-browser.png")
            done = subprocess.run(
                ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
                 f"--screenshot={picture}", "--window-size=640,640",
                 (self.dir / (name + ".svg")).as_uri()],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            # A page with an error message is far smaller.
            self.assertGreater(picture.stat().st_size, 10000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
