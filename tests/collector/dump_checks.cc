// Prints the leak checks of a trace as JSON, one a line: for tests that know what
// they lost by the size of their blocks, without names and without the analyzer.
//
// Chunks of events are passed over: of a program that allocates all the time there
// are as many as its processor makes.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "preload/trace/chunk_io.h"
#include "preload/trace/leaks.h"

namespace {

using mallogram::ChunkHeader;
using mallogram::LeakCheck;

// All checks of the whole chunks; false: a chunk is not what it should be. A cut
// end is not wrong.
bool ReadChecks(const char* path, std::vector<LeakCheck>* checks) {
  std::ifstream file(path, std::ios::binary);
  const auto read = [&file](size_t size) {
    std::string bytes(size, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(size));
    bytes.resize(static_cast<size_t>(file.gcount()));
    return bytes;
  };
  if (!mallogram::CheckFileHeader(read(sizeof(mallogram::FileHeader))).ok()) {
    return false;
  }
  for (uint32_t sequence = 0;; ++sequence) {
    const auto header = mallogram::DecodeChunkHeader(read(sizeof(ChunkHeader)));
    if (!header.ok()) return true;  // the trailer, or the end
    if (header->sequence != sequence) return false;
    if (header->type != mallogram::ChunkType::kLeaks) {
      file.seekg(static_cast<std::streamoff>(header->stored_bytes), std::ios::cur);
      continue;
    }
    const std::string stored = read(header->stored_bytes);
    if (stored.size() != header->stored_bytes) return true;
    const auto payload = mallogram::DecodeChunk(*header, stored);
    if (!payload.ok()) return false;
    auto check = mallogram::DecodeLeakCheck(*payload);
    if (!check.ok()) return false;
    checks->push_back(*std::move(check));
  }
}

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
  std::vector<LeakCheck> checks;
  const bool well = ReadChecks(argv[1], &checks);
  for (const LeakCheck& check : checks) {
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
  return well ? 0 : 1;
}
