// A thousand sites, no two of one size: 1 to 1000 bytes.
#include "tests/leak_corpus/programs/leak.h"

#define SITE(n) Use(malloc((n) + 1))
#define FIVE(n) (SITE(n), SITE(n + 1), SITE(n + 2), SITE(n + 3), SITE(n + 4))
#define FIFTY(n)                                                   \
  (FIVE(n), FIVE(n + 5), FIVE(n + 10), FIVE(n + 15), FIVE(n + 20), \
   FIVE(n + 25), FIVE(n + 30), FIVE(n + 35), FIVE(n + 40), FIVE(n + 45))

NOINLINE static void Lose(void) {
  FIFTY(0);    // LEAK definite 50 blocks 1275 bytes
  FIFTY(50);   // LEAK definite 50 blocks 3775 bytes
  FIFTY(100);  // LEAK definite 50 blocks 6275 bytes
  FIFTY(150);  // LEAK definite 50 blocks 8775 bytes
  FIFTY(200);  // LEAK definite 50 blocks 11275 bytes
  FIFTY(250);  // LEAK definite 50 blocks 13775 bytes
  FIFTY(300);  // LEAK definite 50 blocks 16275 bytes
  FIFTY(350);  // LEAK definite 50 blocks 18775 bytes
  FIFTY(400);  // LEAK definite 50 blocks 21275 bytes
  FIFTY(450);  // LEAK definite 50 blocks 23775 bytes
  FIFTY(500);  // LEAK definite 50 blocks 26275 bytes
  FIFTY(550);  // LEAK definite 50 blocks 28775 bytes
  FIFTY(600);  // LEAK definite 50 blocks 31275 bytes
  FIFTY(650);  // LEAK definite 50 blocks 33775 bytes
  FIFTY(700);  // LEAK definite 50 blocks 36275 bytes
  FIFTY(750);  // LEAK definite 50 blocks 38775 bytes
  FIFTY(800);  // LEAK definite 50 blocks 41275 bytes
  FIFTY(850);  // LEAK definite 50 blocks 43775 bytes
  FIFTY(900);  // LEAK definite 50 blocks 46275 bytes
  FIFTY(950);  // LEAK definite 50 blocks 48775 bytes
}

int main(void) {
  Lose();
  ScrubStack();
  return 0;
}
