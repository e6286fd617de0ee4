"""A program to be swept, and what the tests of sweeps share."""

import json
import pathlib

import harness

# grow N [WAY [ARGUMENT]]: allocates N blocks of 100 bytes and says so on both
# streams; every start is a line in the file that $STARTS names.
SOURCE = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int starts(const char* file) {
  int lines = 0;
  FILE* f = fopen(file, "r");
  for (int c; f && (c = getc(f)) != EOF;) lines += c == '\n';
  if (f) fclose(f);
  return lines;
}

int main(int argc, char** argv) {
  long n = atol(argv[1]);
  const char* way = argc > 2 ? argv[2] : "";
  const char* file = getenv("STARTS");
  if (file) {
    FILE* f = fopen(file, "a");
    fprintf(f, "%ld\n", n);
    fclose(f);
  }
  char** blocks = malloc(n * sizeof(char*));
  for (long i = 0; i < n; ++i) blocks[i] = malloc(100);
  printf("{\"n\": %ld}\n", n);
  fprintf(stderr, "phase done %ld.5\n", n);
  fflush(stdout);
  if (!strcmp(way, "deaf")) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
  }
  if (!strcmp(way, "gate") || !strcmp(way, "deaf")) {  /* from 100 on, wait for a file */
    while (n >= 100 && access(argv[3], F_OK) != 0) usleep(2000);
  }
  if (!strcmp(way, "meet")) {  /* until so many have been started */
    while (starts(file) < atoi(argv[3])) usleep(2000);
  }
  if (!strcmp(way, "fail") && n == atol(argv[3])) {
    fprintf(stderr, "sorry, no %ld today\n\n", n);
    return 3;
  }
  if (!strcmp(way, "die") && n == atol(argv[3])) raise(SIGSEGV);
  return 0;
}
"""


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.grow = harness.compile_c(self.dir, "grow", SOURCE)
        self.starts_file = self.dir / "starts"
        self.env = harness.clean_env(STARTS=self.starts_file)

    def sweep(self, *args, status=0, **kwargs):
        kwargs.setdefault("cwd", self.dir)
        kwargs.setdefault("env", self.env)
        result = harness.command("sweep", *args, **kwargs)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        return result

    def refuses(self, *args, status, says, **kwargs):
        kwargs.setdefault("env", self.env)
        return self.fails(says, "sweep", *args, status=status, **kwargs)

    def starts(self):
        """The sizes that were started, in order."""
        if not self.starts_file.exists():
            return []
        return self.starts_file.read_text().split()

    def runs(self, directory="grow.sweep"):
        """Names of the runs that are done."""
        return sorted(p.parent.name
                      for p in (self.dir / directory).glob("*/run.json"))

    def manifest(self, directory="grow.sweep"):
        return json.loads((self.dir / directory / "sweep.json").read_text())

    def path(self, name):
        return pathlib.Path(self.dir) / name
