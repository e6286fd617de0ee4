// Writes a recording with leak checks of known content:
//   make_leaks FILE SHAPE MODULE [key=value...]
// MODULE is a library with debug information; frames and globals are given as
// offsets in it: a=…, b=…, root=….
//
// Shapes
//   all       one classified check with every class, every root, every idiom
//   clean     one check, everything reachable
//   killed    no check, SIGKILL
//   refused   a check that was not classified
//   two       two checks: one record grew, one is new, one is gone, one is the same
//   execed    no check, replaced by another program
//   bare      no check, exited
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "preload/trace/leaks.h"
#include "tests/analyzer/trace_files.h"

namespace mallogram {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Stack ids, as in Stacks(): a and b are called from main.
constexpr uint32_t kMain = 4, kA = 5, kB = 6, kBelowB = 7;

std::vector<Stack> Stacks(std::map<std::string, uint64_t>& at) {
  return {{0, 1, at["main"]},
          {kMain, 1, at["a"]},
          {kMain, 1, at["b"]},
          {kB, 1, at["a"]}};
}

LeakGroup Group(LeakClass kind, uint32_t stack, uint64_t blocks, uint64_t bytes) {
  LeakGroup group;
  group.kind = kind;
  group.stack = stack;
  group.blocks = blocks;
  group.bytes = bytes;
  group.oldest_ns = 1 * kSecond;
  group.youngest_ns = 3 * kSecond;
  return group;
}

LeakCheck Check(std::vector<LeakGroup> groups) {
  LeakCheck check;
  check.classified = true;
  check.time_ns = 4 * kSecond;
  check.pause_ns = 20'000'000;
  check.scan_ns = 15'000'000;
  check.scanned_bytes = 3 << 20;
  check.root_bytes = 1 << 20;
  for (const LeakGroup& group : groups) {
    check.blocks += group.blocks;
    check.bytes += group.bytes;
  }
  check.groups = std::move(groups);
  return check;
}

std::vector<LeakGroup> EveryClass(std::map<std::string, uint64_t>& at) {
  std::vector<LeakGroup> groups;
  LeakGroup definite = Group(LeakClass::kDefinite, kA, 2, 200);
  definite.indirect_blocks = 3;
  definite.indirect_bytes = 90;
  definite.thread = 1;
  groups.push_back(definite);
  LeakGroup indirect = Group(LeakClass::kIndirect, kB, 3, 90);
  indirect.head_stack = kA;
  groups.push_back(indirect);
  LeakGroup possible = Group(LeakClass::kPossible, kB, 1, 64);
  possible.idiom = PointerIdiom::kInterior;
  possible.interior_offset = 24;
  possible.root = {RootKind::kStack, 0, 0x7ffd0000, 4712};
  groups.push_back(possible);
  LeakGroup reachable = Group(LeakClass::kReachable, kA, 5, 500);
  reachable.idiom = PointerIdiom::kArrayCookie;
  reachable.root = {RootKind::kGlobal, 1, at["root"] + 8, 0};
  reachable.way = {{kB, 64, 16, 1}, {kBelowB, 32, 8, 1000}};
  reachable.way_cut = 7;
  groups.push_back(reachable);
  LeakGroup held = Group(LeakClass::kReachable, kBelowB, 1, 4096);
  held.root = {RootKind::kRegister, 0, 3, 4711};
  groups.push_back(held);
  LeakGroup local = Group(LeakClass::kReachable, kB, 1, 40);
  local.root = {RootKind::kGlobal, 1, at["root"], 0};
  groups.push_back(local);
  groups.push_back(Group(LeakClass::kIgnored, kMain, 1, 7));
  return groups;
}

std::vector<LeakCheck> Checks(const std::string& shape,
                              std::map<std::string, uint64_t>& at) {
  if (shape == "all") {
    LeakCheck check = Check(EveryClass(at));
    check.warnings = {"a mapping could not be read"};
    return {check};
  }
  if (shape == "clean") return {Check({Group(LeakClass::kReachable, kB, 1, 40)})};
  if (shape == "refused") {
    LeakCheck check;
    check.reason = "the kernel forbids it";
    return {check};
  }
  if (shape == "two") {
    LeakCheck first = Check({Group(LeakClass::kDefinite, kA, 2, 200),
                             Group(LeakClass::kDefinite, kB, 1, 50),
                             Group(LeakClass::kPossible, kB, 1, 60),
                             Group(LeakClass::kReachable, kMain, 4, 400)});
    first.cause = CheckCause::kCommand;
    first.time_ns = 3 * kSecond;
    return {first, Check({Group(LeakClass::kDefinite, kA, 3, 300),
                          Group(LeakClass::kDefinite, kB, 1, 50),
                          Group(LeakClass::kPossible, kBelowB, 1, 70),
                          Group(LeakClass::kReachable, kMain, 1, 100)})};
  }
  return {};
}

std::string Make(const std::string& shape, const std::string& module,
                 std::map<std::string, uint64_t>& at) {
  TraceFileBuilder file;
  RunInfo run;
  run.mallogram_version = "0.1.0";
  run.host = "testhost";
  run.executable = "/usr/bin/made";
  run.argv = {"made", "--with", "two words"};
  run.cwd = "/home/somebody";
  run.pid = at.count("pid") != 0 ? static_cast<int64_t>(at["pid"]) : 4711;
  run.ppid = 1;
  run.start_unix_ns = 1'700'000'000 * kSecond + static_cast<uint64_t>(run.pid);
  file.Add(ChunkType::kRun, EncodeRunInfo(run));
  file.Add(ChunkType::kModules,
           EncodeModules({{1, module, "", 0x400000, 0x400000, 0x500000, 1, 0}}));
  file.Add(ChunkType::kStacks, EncodeStacks(kFirstStackId, Stacks(at)));
  file.Add(ChunkType::kThreads, EncodeThreads({{0, run.pid, "made", 0},
                                               {1, run.pid + 1, "worker", 1000}}));
  for (const LeakCheck& check : Checks(shape, at))
    file.Add(ChunkType::kLeaks, EncodeLeakCheck(check));
  HeapModel heap;
  for (int i = 0; i < 3; ++i) heap.Allocate(0, kA, 100, 1 * kSecond);
  heap.Allocate(0, kB, 10, 2 * kSecond);
  Summary summary = heap.Summarize();
  summary.totals.duration_ns = 5 * kSecond;
  summary.end = shape == "killed"   ? EndReason::kSignalled
                : shape == "execed" ? EndReason::kExeced
                                    : EndReason::kExited;
  summary.end_detail = shape == "killed" ? 9 : 0;
  return file.Finish(summary);
}

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::map<std::string, uint64_t> at;
  for (int i = 4; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t equals = word.find('=');
    at[word.substr(0, equals)] = strtoull(word.c_str() + equals + 1, nullptr, 0);
  }
  const std::string bytes = mallogram::Make(argv[2], argv[3], at);
  FILE* file = fopen(argv[1], "wb");
  if (file == nullptr) return 1;
  const bool ok = fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return fclose(file) == 0 && ok ? 0 : 1;
}
