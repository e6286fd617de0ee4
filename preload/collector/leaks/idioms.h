// Pointers into the middle of a block that count as pointers to its start, because
// the program holds such blocks by them: see PointerIdiom. The checks are those of
// Memcheck's leak-check heuristics, and one more for blocks that were aligned by
// hand.
#pragma once

#include <cstdint>
#include <functional>

#include "preload/collector/leaks/block_index.h"
#include "preload/collector/leaks/windows.h"

namespace mallogram::leaks {

// Whether new[] made a block.
enum class MadeByArrayNew : uint8_t { kNo, kYes, kUnknown };

// What is known of the process beyond its memory.
class ProgramFacts {
 public:
  virtual ~ProgramFacts() = default;
  virtual MadeByArrayNew ArrayNew(uint32_t) const {
    return MadeByArrayNew::kUnknown;
  }
  // Can a vtable be there: a module's data that the program can't write to.
  virtual bool IsConstant(uint64_t address) const = 0;
  virtual bool IsCode(uint64_t address) const = 0;
};

class Idioms {
 public:
  Idioms(const BlockIndex* index, Windows* windows, const ProgramFacts* facts)
      : index_(index), windows_(windows), facts_(facts) {}

  // What explains `pointer`, which lies in `block`; kInterior: nothing does.
  PointerIdiom Explain(uint64_t pointer, Block block) const;

 private:
  bool IsArray(const Block& block, uint64_t size, uint64_t offset,
               const uint64_t* words) const;
  bool IsVtable(uint64_t address) const;
  bool IsAligned(uint64_t pointer, const Block& block) const;

  const BlockIndex* const index_;
  Windows* const windows_;
  const ProgramFacts* const facts_;
};

}  // namespace mallogram::leaks
