"""What the recorder takes of the program's memory: little at first, more with need.

Sizes here are bounds on address space and locked memory, never on time.
"""

import re

import harness

MEGABYTE = 1 << 20

SIZES = r"""
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
static sem_t up, down;
static void *Thread(void *unused) {
  void *volatile blocks[10];
  for (int i = 0; i < 10; ++i) blocks[i] = malloc(100);
  sem_post(&up);
  sem_wait(&down);
  for (int i = 0; i < 10; ++i) free(blocks[i]);
  return unused;
}
int main(int argc, char **argv) {
  int threads = atoi(argv[1]);
  if (argc > 2 && mlockall(strcmp(argv[2], "future") ? MCL_CURRENT
                                                     : MCL_CURRENT | MCL_FUTURE)) {
    puts("mlockall failed");
    return 3;
  }
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 32768);
  sem_init(&up, 0, 0);
  sem_init(&down, 0, 0);
  pthread_t *all = malloc(sizeof(*all) * threads);
  int made = 0;
  while (made < threads && !pthread_create(&all[made], &small, Thread, 0)) ++made;
  for (int i = 0; i < made; ++i) sem_wait(&up);
  char line[200];
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof(line), status))
    if (!strncmp(line, "VmSize", 6) || !strncmp(line, "VmLck", 5)) fputs(line, stdout);
  for (int i = 0; i < made; ++i) sem_post(&down);
  for (int i = 0; i < made; ++i) pthread_join(all[i], 0);
  printf("made %d\n", made);
  return 0;
}
"""


class SmallImage(harness.Case):
    def setUp(self):
        super().setUp()
        self.program = harness.compile_c(self.dir, "sizes", SIZES,
                                         "-pthread")
        self.env = harness.clean_env(MALLOC_ARENA_MAX=1)

    def sizes(self, result):
        self.assertEqual(result.returncode, 0, result.stdout)
        text = result.stdout.decode()
        return {name: 1024 * int(value)
                for name, value in re.findall(r"(Vm\w+):\s+(\d+) kB", text)}

    def added(self, *arguments, prefix=()):
        argv = [self.program, *arguments]
        plain = self.sizes(harness.run([*prefix, *argv], env=self.env))
        recorded = self.sizes(harness.run(
            [*prefix, harness.mallogram(), "record", "-q", "--", *argv], env=self.env,
            cwd=self.dir))
        return {name: recorded[name] - plain[name] for name in plain}

    def test_little_address_space(self):
        self.assertLess(self.added("1")["VmSize"], 4 * MEGABYTE)
        self.assertLess(self.added("100")["VmSize"], 24 * MEGABYTE)
        self.assertLess(self.added("1000")["VmSize"], 64 * MEGABYTE)

    def test_less_under_a_limit(self):
        limited = ["/bin/sh", "-c", 'ulimit -v 4000000; exec "$@"', "sh"]
        self.assertLess(self.added("100", prefix=limited)["VmSize"], 8 * MEGABYTE)

    def test_little_locked_memory(self):
        self.assertLess(self.added("1", "current")["VmLck"], 4 * MEGABYTE)
        self.assertLess(self.added("1", "future")["VmLck"], 6 * MEGABYTE)

    def test_thousands_of_threads(self):
        """No event is lost, however many are alive at once."""
        result = harness.record([self.program, "6000"], "-q", cwd=self.dir, env=self.env)
        self.assertIn(b"made 6000", result.stdout)
        report = harness.report(self.trace())
        self.assertEqual(report["loss"]["events_lost"], 0)
        self.assertGreaterEqual(report["totals"]["allocations"], 60000)
        self.assertGreaterEqual(report["totals"]["peak_heap_bytes"], 6000 * 1000)


if __name__ == "__main__":
    harness.main()
