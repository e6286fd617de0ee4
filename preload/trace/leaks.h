// kLeaks chunks: one leak check, that is, what a scan of the stopped process found
// about every block that was alive (preload/collector/leaks), grouped by call
// stack.
//
// Classes are Memcheck's: see LeakClass. A check that could not look at the memory
// (the process was killed from outside) has no groups and says why; what is alive
// is then all that is known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/trace_format.h"

namespace mallogram {

enum class LeakClass : uint8_t {
  kDefinite = 0,   // nothing that is reached points to it, nor a lost block
  kIndirect = 1,   // only lost blocks point to it
  kPossible = 2,   // on every way to it is a pointer into the middle of a block
                   // that no idiom explains
  kReachable = 3,  // a chain of pointers to starts of blocks leads to it
  kIgnored = 4,    // the program said that it is not to be reported
};
inline constexpr int kLeakClasses = 5;

// Why a pointer into the middle of a block counts as one to its start.
enum class PointerIdiom : uint8_t {
  kStart = 0,         // it is one
  kArrayCookie = 1,   // new T[n]: the count precedes the first element
  kSecondBase = 2,    // a base class that is not the first
  kSharedString = 3,  // std::string of the old ABI: length, capacity, references
  kLength = 4,        // a length of 8 bytes precedes the data
  kAligned = 5,       // hand-aligned: the block's start is stored before the data
  kInterior = 6,      // none
};
inline constexpr int kPointerIdioms = 7;

// Where a chain of pointers begins.
enum class RootKind : uint8_t {
  kNone = 0,
  kGlobal = 1,       // a module's writable data; address: as in its ELF file
  kStack = 2,        // address: absolute
  kRegister = 3,     // address: number of the register in DWARF's counting
  kThreadLocal = 4,  // TLS, static or dynamic; address: absolute
  kMapping = 5,      // memory from mmap or shmat; address: absolute
  kInherited = 6,    // a block of the process that this one was forked from
};
inline constexpr int kRootKinds = 7;

// A way has no more hops than this.
inline constexpr size_t kMaxWay = 16;

struct LeakRoot {
  RootKind kind = RootKind::kNone;
  uint32_t module = 0;   // Module.id; 0: none
  uint64_t address = 0;  // see RootKind
  int64_t tid = 0;       // of the thread, for stacks, registers and TLS; else 0
};

// A block on the way from a root, that is, where its successor's address was found.
struct LeakHop {
  uint32_t stack = 0;    // that allocated it; 0 for blocks with no known stack
  uint64_t size = 0;     // of the block
  uint64_t offset = 0;   // of the pointer in it
  uint64_t repeats = 1;  // blocks in a row, allocated there (lists, trees)
};

// Blocks of one class that one call stack allocated. Ways and holders are those of
// one block of the group, its youngest.
struct LeakGroup {
  LeakClass kind = LeakClass::kDefinite;
  uint32_t stack = 0;
  uint64_t blocks = 0, bytes = 0;
  // kDefinite: lost with them, each block charged to one head.
  uint64_t indirect_blocks = 0, indirect_bytes = 0;
  uint64_t oldest_ns = 0, youngest_ns = 0;  // when allocated
  uint32_t thread = 0;                      // index, of the youngest
  // How the last pointer of the way meets the block: idiom, and for kInterior the
  // distance from its start.
  PointerIdiom idiom = PointerIdiom::kStart;
  uint64_t interior_offset = 0;
  // kReachable and kPossible: from a root to it, the block itself not included; a
  // long way is cut in its middle (`way_cut` hops left out after the first half).
  LeakRoot root;
  std::vector<LeakHop> way;
  uint64_t way_cut = 0;
  // kIndirect: the stack that allocated the lost block at the head; 0: none.
  uint32_t head_stack = 0;
};

// What caused a check.
enum class CheckCause : uint8_t {
  kExit = 0,     // exit, _exit, quick_exit, the end of main
  kSignal = 1,   // a signal that ends the process; detail: its number
  kCommand = 2,  // `mallogram leaks --pid`
  kClient = 3,   // mallogram_leak_check_now()
};
inline constexpr int kCheckCauses = 4;

struct LeakCheck {
  CheckCause cause = CheckCause::kExit;
  int64_t detail = 0;
  uint64_t time_ns = 0;  // when the process was stopped
  uint64_t events = 0;   // of the recording that came before
  bool classified = false;
  std::string reason;                 // not classified: why, in a few words
  uint64_t pause_ns = 0;              // for which the process stood still
  uint64_t scan_ns = 0;               // the part that reads and follows pointers
  uint64_t scanned_bytes = 0;         // memory read, roots and blocks
  uint64_t root_bytes = 0;            // of these
  uint64_t blocks = 0, bytes = 0;     // alive
  std::vector<std::string> warnings;  // what could not be looked at
  std::vector<LeakGroup> groups;
};

std::string EncodeLeakCheck(const LeakCheck& check);
absl::StatusOr<LeakCheck> DecodeLeakCheck(std::string_view payload);

}  // namespace mallogram
