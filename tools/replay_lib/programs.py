"""Sources of the programs that tools/replay records: small, deterministic, each a kind
of heap or of end. KIND and COUNT are the arguments of the C and the C++ program."""

C = r"""
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void *kept[1 << 16];
static unsigned next = 1;
static unsigned Random(void) { return (next = next * 1103515245 + 12345) >> 8; }
static void *__attribute__((noinline)) Make(size_t size) { return malloc(size); }
static void *__attribute__((noinline)) Deep(int depth, size_t size) {
  void *volatile block = depth ? Deep(depth - 1, size) : Make(size);
  return block;
}
static void Phase(const char *name) {
  struct timespec now;
  char line[99];
  clock_gettime(CLOCK_MONOTONIC, &now);
  int length = sprintf(line, "phase %s %ld.%09ld\n", name, (long)now.tv_sec, now.tv_nsec);
  if (write(2, line, length) != length) _exit(9);
}
static void Churn(long count) {
  for (long i = 0; i < count; ++i) {
    void **at = &kept[Random() % 4096];
    free(*at);
    *at = Deep(Random() % 5, 1 + Random() % 300);
  }
}
static void *Thread(void *count) {
  void *own[256] = {0};
  for (long i = 0; i < (long)count; ++i) {
    free(own[i % 256]);
    own[i % 256] = Make(16 + i % 99);
  }
  return 0;
}
int main(int argc, char **argv) {
  const char *kind = argv[1];
  long count = atol(argv[2]);
  (void)argc;
  if (!strcmp(kind, "leak")) {
    for (long i = 0; i < count; ++i) Deep(i % 7, 40);
  } else if (!strcmp(kind, "churn")) {
    Churn(count);
  } else if (!strcmp(kind, "pairs")) {
    for (long i = 0; i < count; ++i) free(Make(i % 1000));
  } else if (!strcmp(kind, "grow")) {
    for (long i = 0; i < count; ++i) {
      void **link = Make(64);
      *link = kept[0];
      kept[0] = link;
      free(Make(32));
    }
  } else if (!strcmp(kind, "realloc")) {
    char *text = 0;
    for (long i = 1; i < count; ++i) text = realloc(text, i * 8 % 100000 + 1);
  } else if (!strcmp(kind, "kinds")) {
    for (long i = 0; i < count; ++i) {
      kept[i % 999] = calloc(i % 9, 16);
      kept[1000 + i % 999] = memalign(64, 100);
      kept[2000 + i % 999] = strdup(kind);
      void *large = malloc(1 << 20);
      free(large);
    }
  } else if (!strcmp(kind, "phases")) {
    Phase("begin");
    Churn(count);
    Phase("middle");
    for (long i = 0; i < count; ++i) kept[8192 + i % 8192] = Make(24);
    Phase("end");
    Phase("begin");
  } else if (!strcmp(kind, "threads")) {
    pthread_t all[8];
    for (int i = 0; i < 8; ++i) pthread_create(&all[i], 0, Thread, (void *)count);
    for (int i = 0; i < 8; ++i) pthread_join(all[i], 0);
  } else if (!strcmp(kind, "fork")) {
    Churn(count);
    for (int i = 0; i < 3; ++i) {
      if (fork() == 0) {
        Churn(count);
        _exit(i);
      }
    }
    while (wait(0) > 0) {
    }
  } else {
    Churn(count);
    if (!strcmp(kind, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(kind, "term")) kill(getpid(), SIGTERM);
    if (!strcmp(kind, "segv")) kill(getpid(), SIGSEGV);
    if (!strcmp(kind, "abort")) abort();
    if (!strcmp(kind, "_exit")) _exit(3);
    if (!strcmp(kind, "exec")) execl("/bin/true", "true", (char *)0);
  }
  return 0;
}
"""

CXX = r"""
#include <cstdlib>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>
struct Node { std::map<int, std::shared_ptr<Node>> children; std::string name; };
static std::shared_ptr<Node> Tree(int depth, int width) {
  auto node = std::make_shared<Node>();
  node->name = std::string(40 + width, 'n');
  for (int i = 0; depth > 0 && i < width; ++i) node->children[i] = Tree(depth - 1, width);
  return node;
}
int main(int, char **argv) {
  const std::string kind = argv[1];
  const long count = atol(argv[2]);
  if (kind == "tree") return Tree(static_cast<int>(count), 5)->children.empty();
  if (kind == "vectors") {
    std::vector<std::string> all;
    for (long i = 0; i < count; ++i) all.push_back(std::to_string(i) + " and a long tail");
  }
  if (kind == "lambdas") {
    std::vector<std::function<long()>> all;
    for (long i = 0; i < count; ++i) {
      std::string big(50, 'x');
      all.push_back([big, i] { return i + static_cast<long>(std::list<int>(9, 1).size()); });
    }
    for (const auto &f : all) if (f() < 0) return 1;
  }
  if (kind == "lost") {
    for (long i = 0; i < count; ++i) { auto *node = new Node; node->name = std::string(99, 'q'); }
  }
  if (kind == "mismatch") {
    for (long i = 0; i < count; ++i) free(new int[5]);
  }
  return 0;
}
"""

RUST = r"""
use std::collections::HashMap;
fn main() {
    let mut map: HashMap<String, Vec<u64>> = HashMap::new();
    for i in 0..20000u64 {
        map.entry(format!("key {}", i % 700)).or_default().push(i);
    }
    let words: Vec<Box<dyn Fn(u64) -> u64>> =
        (0..500u64).map(|n| Box::new(move |x| x + n) as Box<dyn Fn(u64) -> u64>).collect();
    std::mem::forget(words);
    println!("{}", map.len());
}
"""

PYTHON = """
import json, collections
rows = [{"id": i, "text": "x" * (i % 80)} for i in range(4000)]
back = json.loads(json.dumps(rows))
tally = collections.Counter(len(r["text"]) for r in back)
print(len(tally))
"""

PERL = """
my %seen; my @all;
for my $i (1..20000) { $seen{"key " . $i % 900} .= "x"; push @all, [$i, "y" x ($i % 50)]; }
print scalar(keys %seen), "\\n";
"""

SHELL = """
for i in 1 2 3; do seq 500 | sort -r | awk '{ t += $1; s[$1] = t } END { print t }'; done
"""
