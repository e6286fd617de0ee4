// Prints the leak checks of a trace as JSON, one a line: for tests that know what
// they lost by the size of their blocks, without names and without the analyzer.
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/collector/read_trace.h"

namespace {

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  static constexpr const char* kKinds[] = {"definite", "indirect", "possible",
                                           "reachable", "ignored"};
  static constexpr const char* kCauses[] = {"exit", "signal", "command", "client"};
  std::ifstream file(argv[1], std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  const mallogram::ReadTrace trace = mallogram::ParseTrace(bytes.str());
  for (const mallogram::LeakCheck& check : trace.leak_checks) {
    printf(
        "{\"cause\": \"%s\", \"detail\": %lld, \"classified\": %s, \"reason\": %s, "
        "\"blocks\": %llu, \"bytes\": %llu, \"pause_ns\": %llu, \"scan_ns\": %llu, "
        "\"scanned_bytes\": %llu, \"events\": %llu, \"warnings\": [",
        kCauses[static_cast<int>(check.cause)],
        static_cast<long long>(check.detail), check.classified ? "true" : "false",
        Quoted(check.reason).c_str(), static_cast<unsigned long long>(check.blocks),
        static_cast<unsigned long long>(check.bytes),
        static_cast<unsigned long long>(check.pause_ns),
        static_cast<unsigned long long>(check.scan_ns),
        static_cast<unsigned long long>(check.scanned_bytes),
        static_cast<unsigned long long>(check.events));
    const char* separator = "";
    for (const std::string& warning : check.warnings) {
      printf("%s%s", separator, Quoted(warning).c_str());
      separator = ", ";
    }
    printf("], \"groups\": [");
    separator = "";
    for (const mallogram::LeakGroup& group : check.groups) {
      printf(
          "%s{\"kind\": \"%s\", \"blocks\": %llu, \"bytes\": %llu, \"root\": %d}",
          separator, kKinds[static_cast<int>(group.kind)],
          static_cast<unsigned long long>(group.blocks),
          static_cast<unsigned long long>(group.bytes),
          static_cast<int>(group.root.kind));
      separator = ", ";
    }
    printf("]}\n");
  }
  return trace.error.empty() ? 0 : 1;
}
