// Module generations: which mapped object a pc belongs to, in the image's
// ModuleSlot table. Found lazily, when the unwinder compiles the first rule of a
// module, through _dl_find_object (lock-free, async-signal-safe, glibc >= 2.35):
// never dl_iterate_phdr, whose lock is the classic deadlock under malloc.
#pragma once

#include <dlfcn.h>

#include <cstdint>

#include "preload/image_tables.h"

namespace mallogram {

struct CodeModule {
  uint32_t index;  // in ModuleSlot[], or kNoModule if the table is full
  uint64_t bias, start, end;
  const void* eh_frame_hdr;  // PT_GNU_EH_FRAME, nullptr if it has none
};

// The module that holds `pc`, registered if it is new. False: no module (JIT
// code, unmapped). Lock-free; two threads that race may register one twice.
bool FindModule(uint64_t pc, CodeModule* module);

// Forgets what was learnt from the code in [start, end): unwinder/rules.h.
using ForgetFn = void (*)(uint64_t start, uint64_t end);

// For the registry's owner (recorder.cc): where modules are kept; nullptr: nowhere,
// and the image of before may be gone. `forget` is called for all code now, and for
// each module's that goes. REQUIRES: before the first FindModule.
void InitModules(ImageTables* tables, ForgetFn forget);

// ModuleSlot.kinds_unsure of the module that holds `pc`.
bool AreKindsUnsureAt(uint64_t pc);

// Called for every module that is registered, within the walk that met it, before
// the slot is ready.
void SetModuleWatch(void (*watch)(const dl_find_object& module, ModuleSlot* slot));

// After a real dlclose: closes the generations of objects that are gone and
// has the unwinder forget the code of each. REQUIRES: the image is this process's.
void SweepModules();

}  // namespace mallogram
