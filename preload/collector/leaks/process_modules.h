// The modules of a process, as their ELF headers in its memory describe them: where
// their data, TLS and code are. Every number in them may be wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preload/collector/leaks/address_space.h"
#include "preload/collector/leaks/loaded_module.h"
#include "preload/collector/leaks/memory.h"

namespace mallogram::leaks {

struct ProcessModule {
  LoadedModule loaded;
  struct Segment {
    uint64_t start = 0, end = 0;
    bool writable = false, executable = false;
  };
  std::vector<Segment> segments;  // as mapped, whole pages
  Segment relro;                  // made read-only after relocation
  uint64_t dynamic = 0;           // address of its dynamic section; 0: none
  uint64_t tls_bytes = 0;
};

std::vector<ProcessModule> FindModules(const std::vector<Mapping>& maps,
                                       Memory* memory);

// A table that is sorted by address, for who asks often.
class ModuleRanges {
 public:
  explicit ModuleRanges(const std::vector<ProcessModule>& modules);
  bool IsConstant(uint64_t address) const { return Kind(address) == kConstant; }
  bool IsCode(uint64_t address) const { return Kind(address) == kCode; }

 private:
  enum Of { kNothing, kCode, kConstant };
  struct Range {
    uint64_t start, end;
    Of kind;
  };
  Of Kind(uint64_t address) const;
  std::vector<Range> ranges_;
};

}  // namespace mallogram::leaks
