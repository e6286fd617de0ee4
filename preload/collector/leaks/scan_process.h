// One leak check of a stopped process: its roots, its memory, the blocks that the
// collector knows to be alive → what is lost, and what holds the rest.
//
// The caller stops the process and starts it again. Nothing here needs more than
// the right to read its memory (process_vm_readv, /proc/PID/maps and pagemap), and
// nothing that the process has in its memory can do more harm than a wrong verdict.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/collector/leaks/loaded_module.h"
#include "preload/collector/leaks/scan_control.h"
#include "preload/collector/live_map.h"
#include "preload/image.h"
#include "preload/trace/heap_model.h"
#include "preload/trace/leaks.h"

namespace mallogram {

struct StoppedThread {
  pid_t tid = 0;
  // From PTRACE_GETREGS; fs_base, which is in it, leads to the thread's TLS and
  // keys. All zero: not known, and with it which part of its stack is alive: all of
  // it.
  user_regs_struct registers = {};
  // What lies below is dead although the stack pointer is lower, as when exit()
  // runs deep: 0: nothing.
  uint64_t live_sp = 0;
};

// A block that the process this one was forked from had allocated. It holds what it
// points to, if it is reached, and is never reported.
struct InheritedBlock {
  uint64_t address = 0, size = 0;
};

struct ScanRequest {
  pid_t pid = 0;  // as this process sees it
  std::vector<StoppedThread> threads;
  const LiveMap* live = nullptr;     // Orderer::live()
  const HeapModel* model = nullptr;  // EventFeed::model(), of the same slots
  // Where the recorder's own memory is. nullptr: nowhere.
  const ImageHeader* image = nullptr;
  uint64_t image_inode = 0;       // of its file; 0: not known
  std::vector<uint32_t> ignored;  // slots
  std::vector<InheritedBlock> inherited;
  // The allocator is glibc's: its arenas are recognised by their headers. Else
  // memory is the allocator's if a live block lies in its mapping.
  bool glibc_heap = true;
  // Module.id for a root's module; 0: none (Translator::ModuleId). May be empty.
  std::function<uint32_t(const LoadedModule&)> module_id;
  // The innermost return addresses of a stack, at most `max`, absolute; how many
  // (Translator::Frames). May be empty: which blocks new[] made is then guessed.
  std::function<size_t(uint32_t stack, uint64_t* pcs, size_t max)> frames;
  // By which another thread ends the scan; nullptr: nobody does.
  leaks::ScanControl* control = nullptr;
};

// Fills everything of LeakCheck but cause, detail, time_ns, events and pause_ns. An
// error: the process's memory can't be read at all; Cancelled: by request.control.
// If nothing is alive, nothing is read.
absl::StatusOr<LeakCheck> ScanProcess(const ScanRequest& request);

}  // namespace mallogram
