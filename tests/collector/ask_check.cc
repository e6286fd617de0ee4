// `ask_check PID`: has a recorded process looked at, as `mallogram leaks --pid`
// does. Prints the trace's path and the number of the check in it.
#include <cstdio>
#include <cstdlib>

#include "preload/collector/check_request.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto answer = mallogram::RequestLeakCheck(atoi(argv[1]));
  if (!answer.ok()) {
    fprintf(stderr, "%s\n", std::string(answer.status().message()).c_str());
    return 1;
  }
  printf("%s %u\n", answer->path.c_str(), answer->index);
  return 0;
}
