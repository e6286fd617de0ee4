// A program that loses what its arguments say, with known lines:
//   lossy definite|indirect|possible|reachable|growing|none [exit STATUS|kill
//   SIGNAL]
// Copies standard input to standard output first.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

struct Node {
  Node* next;
  char text[56];
};

}  // namespace

std::map<int, std::string>* kept_;
char* middle_;

namespace {

[[gnu::noinline]] void LoseOne() {
  void* volatile lost = malloc(1234);  // DEFINITE
  lost = nullptr;
  (void)lost;
}

[[gnu::noinline]] Node* NewNode(Node* next) {
  Node* node = new Node;  // INDIRECT
  node->next = next;
  return node;
}

[[gnu::noinline]] void LoseList() {
  Node* list = nullptr;
  for (int i = 0; i < 10; ++i) list = NewNode(list);
  Node* volatile lost = list;
  lost = nullptr;
  (void)lost;
}

[[gnu::noinline]] void KeepMiddle() {
  middle_ = static_cast<char*>(malloc(500)) + 100;  // POSSIBLE
}

[[gnu::noinline]] void Keep() {
  kept_ = new std::map<int, std::string>;
  for (int i = 0; i < 100; ++i) (*kept_)[i] = std::string(100, 'x');
}

// What the functions above have left on the stack.
[[gnu::noinline]] void Wipe() {
  volatile char room[8192];
  memset(const_cast<char*>(room), 0, sizeof room);
}

}  // namespace

int main(int argc, char** argv) {
  for (int c; (c = getchar()) != EOF;) putchar(c);
  const std::string what = argc > 1 ? argv[1] : "none";
  if (what == "definite") LoseOne();
  if (what == "indirect") LoseList();
  if (what == "possible") KeepMiddle();
  if (what == "reachable") Keep();
  Wipe();
  fflush(stdout);
  if (argc > 2 && strcmp(argv[2], "hold") == 0) {
    printf("%d\n", getpid());
    fflush(stdout);
    for (;;) pause();
  }
  if (argc > 3 && strcmp(argv[2], "exit") == 0) return atoi(argv[3]);
  if (argc > 3 && strcmp(argv[2], "kill") == 0) raise(atoi(argv[3]));
  return 0;
}
