// Writes a made trace: make_trace FILE EVENTS [PID] [unfinished]
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/analyzer/trace_files.h"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const mallogram::MadeTrace made = mallogram::MakeTrace(
      static_cast<uint32_t>(atoi(argv[2])), 8, "/nonexistent/libmade.so",
      argc > 3 ? atoi(argv[3]) : 4711);
  const bool unfinished = argc > 4 && strcmp(argv[4], "unfinished") == 0;
  const std::string& bytes = unfinished ? made.unfinished : made.whole;
  FILE* file = fopen(argv[1], "wb");
  if (file == nullptr) return 1;
  const bool ok = fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return fclose(file) == 0 && ok ? 0 : 1;
}
