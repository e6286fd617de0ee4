// What the verb `leaks` found, as plain data: made from traces by builder, marked
// by suppress and since, shown by the renderers.
//
// Call stacks are nodes of the StackBook that the document was built with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/recording/process_facts.h"
#include "analyzer/stacks/stack_book.h"
#include "preload/trace/leaks.h"
#include "preload/trace/mismatches.h"

namespace mallogram {

enum class LeakKind : uint8_t {
  kDefinite,
  kIndirect,
  kPossible,
  kReachable,
  kGrowth,        // reachable, and its call site keeps growing
  kUnclassified,  // alive at the end; nobody could look who holds it
  kIgnored,       // the program said that it is not to be reported
};
inline constexpr size_t kLeakKinds = 7;
// "definite"
absl::string_view KindName(LeakKind kind);

// A set of kinds.
using KindSet = uint32_t;
constexpr KindSet SetOf(LeakKind kind) { return 1u << static_cast<int>(kind); }
constexpr bool Has(KindSet set, LeakKind kind) { return (set & SetOf(kind)) != 0; }
inline constexpr KindSet kAllKinds = (1u << kLeakKinds) - 1;

// What is known of a call site over time: the label, a sentence, and figures for
// JSON. `growing` makes a reachable record one of kGrowth.
struct GrowthLabel {
  std::string label;  // one-time | plateau | growing | churning | undetermined
  bool growing = false;
  std::string text;  // "312 KiB an hour since 2 min 10 s, p < 0.001"
  std::vector<std::pair<std::string, double>> figures;
};

struct RootView {
  RootKind kind = RootKind::kNone;
  // Global: the variable, demangled ("" and `section`: not known). Register: its
  // name.
  std::string name, section;
  uint64_t offset = 0;               // in the variable or section
  uint32_t module = kNoModuleIndex;  // in the StackBook's modules
  uint64_t address = 0;              // as in LeakRoot
  int64_t tid = 0;
  std::string thread;  // its name
};

struct HopView {
  uint32_t node = 0;  // where the block was allocated; < kFirstStackId: not known
  uint64_t size = 0, offset = 0, repeats = 1;  // as in LeakHop
};

// Why a record is of its kind: of its youngest block.
struct LeakReason {
  PointerIdiom idiom = PointerIdiom::kStart;
  uint64_t interior_offset = 0;
  RootView root;
  std::vector<HopView> way;
  uint64_t way_cut = 0;
  uint32_t head = 0;  // kIndirect: node of the lost block at the head; 0: not known
};

// Against an earlier check (--since).
enum class Change : uint8_t { kNone, kSame, kNew, kGrown, kShrunk, kGone };
absl::string_view ChangeName(Change change);  // "new"

inline constexpr size_t kNoSuppression = ~size_t{0};

// Blocks of one kind from one call stack of one process.
struct LeakRecord {
  size_t process = 0;  // in LeakDocument.processes
  LeakKind kind = LeakKind::kDefinite;
  uint32_t node = 0;
  std::vector<uint32_t> stacks;  // of a classified one: ids in its trace
  uint64_t blocks = 0, bytes = 0;
  uint64_t indirect_blocks = 0, indirect_bytes = 0;  // lost with them
  // Since they were allocated, at the check. Not known of unclassified ones.
  bool has_ages = false;
  uint64_t oldest_age_ns = 0, youngest_age_ns = 0;
  std::string thread;        // that allocated the youngest
  bool main_thread = false;  // which is the first one
  LeakReason reason;
  std::string container;  // what it is a part of, "a node of std::map"; empty: not
                          // known
  std::optional<GrowthLabel> growth;
  size_t suppression = kNoSuppression;  // in LeakDocument.suppressions
  Change change = Change::kNone;
  uint64_t before_blocks = 0, before_bytes = 0;  // at the earlier check

  bool suppressed() const { return suppression != kNoSuppression; }
  uint64_t lost_bytes() const { return bytes + indirect_bytes; }
};

struct Amount {
  uint64_t blocks = 0, bytes = 0, records = 0;
  void Add(const LeakRecord& record) {
    blocks += record.blocks;
    bytes += record.bytes;
    ++records;
  }
};

// Of one check, without its groups.
struct CheckView {
  size_t number = 0;  // from 1, as in the file
  LeakCheck check;    // groups empty
};

struct LeakProcess : ProcessFacts {
  uint64_t duration_ns = 0;
  uint64_t allocations = 0, frees = 0, bytes_allocated = 0;
  std::vector<CheckView> checks;  // all of the file
  size_t check = 0, since = 0;    // numbers of those used; 0: none
  bool classified = false;
  std::string reason;  // not classified: why
  // Counted without what is suppressed; records that are gone count as nothing.
  std::array<Amount, kLeakKinds> sums = {};
  Amount suppressed;

  // The recording ends before the program does: what came later is not known.
  bool ends_early() const {
    return !classified &&
           (end == EndReason::kUnknown || end == EndReason::kDetached);
  }
  // nullptr: there is none.
  const LeakCheck* used() const {
    return check == 0 ? nullptr : &checks[check - 1].check;
  }
};

// Frees that do not fit, all of one type with the same stacks (trace/mismatches.h).
struct MismatchView {
  size_t process = 0;
  Mismatch mismatch;                  // the first one
  uint32_t allocated = 0, freed = 0;  // nodes; < kFirstStackId: not known
  uint32_t first_freed = 0;
  std::string thread;  // that freed
  size_t suppression = kNoSuppression;
};
absl::string_view MismatchName(MismatchType type);  // "double_free"
// "malloc", "new[]"; "free", "delete[]". Empty: not known.
absl::string_view AllocatedBy(BlockKind kind);
absl::string_view FreedBy(BlockKind kind);
// "allocated by new, freed by free"
std::string MismatchText(const Mismatch& mismatch);

// What call stacks have taken from a pool of the program's own
// (client/mallogram.h). `blocks` and `bytes` are those not given back.
struct PoolSiteView {
  uint32_t node = 0;
  uint64_t calls = 0, bytes_allocated = 0, blocks = 0, bytes = 0;
};
struct PoolView {
  size_t process = 0;
  std::string name;
  bool destroyed = false;
  uint64_t peak_bytes = 0, unknown_frees = 0, blocks = 0, bytes = 0;
  std::vector<PoolSiteView> sites = {};  // most bytes first
};

struct SuppressionUse {
  std::string name, source;  // "built-in", "my.supp:12"
  bool built_in = false;
  Amount amount;
};

struct LeakDocument {
  std::vector<LeakProcess> processes;
  // Most bytes lost first; then indirect, reachable, ignored ones, each likewise.
  std::vector<LeakRecord> records;
  std::vector<MismatchView> mismatches;
  std::vector<PoolView> pools;
  std::vector<SuppressionUse> suppressions;  // all that were given
  std::vector<std::string> warnings;

  bool compared() const {
    for (const LeakProcess& process : processes) {
      if (process.since != 0) return true;
    }
    return false;
  }
};

// In the order that LeakDocument.records says.
void SortRecords(LeakDocument* document);
// Sets the sums of processes and suppressions from the records.
void SumUp(LeakDocument* document);
// Over all processes.
std::array<Amount, kLeakKinds> TotalsOf(const LeakDocument& document);

}  // namespace mallogram
