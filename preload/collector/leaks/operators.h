// Which blocks new[] made: told by the stacks that allocated them. A frame that
// lies in operator new[] says so; so does one whose call instruction calls it,
// since what it runs may be operator new, which it ends with a jump to.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/collector/leaks/idioms.h"
#include "preload/collector/leaks/memory.h"
#include "preload/collector/leaks/process_modules.h"

namespace mallogram::leaks {

class Operators {
 public:
  using Frames = std::function<size_t(uint32_t stack, uint64_t* pcs, size_t max)>;

  // All outlive it. `frames` may be empty: nothing is known then.
  Operators(const std::vector<ProcessModule>* modules, Memory* memory,
            const Frames* frames)
      : modules_(modules), memory_(memory), frames_(frames) {}

  // Whether the blocks of a stack are new[]'s; remembered.
  MadeByArrayNew Of(uint32_t stack);

 private:
  enum class Kind : uint8_t { kArrayNew, kNew };
  struct Range {
    uint64_t start, end;
    Kind kind;
  };

  void Load();
  void LoadModule(const ProcessModule& module);
  const Range* Find(uint64_t address) const;
  uint64_t Callee(uint64_t return_address) const;
  MadeByArrayNew Judge(uint32_t stack);

  const std::vector<ProcessModule>* const modules_;
  Memory* const memory_;
  const Frames* const frames_;
  bool loaded_ = false;
  std::vector<Range>
      ranges_;  // by start; those of different modules may overlap not
  absl::flat_hash_map<uint32_t, MadeByArrayNew> known_;
};

}  // namespace mallogram::leaks
