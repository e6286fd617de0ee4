#include "preload/sandbox.h"

#include <fcntl.h>

#include "preload/errno_guard.h"
#include "preload/may_call.h"
#include "preload/options.h"
#include "preload/own_memory.h"
#include "preload/recorder_parts.h"
#include "preload/shared_image.h"
#include "preload/sys.h"

namespace mallogram {

namespace {

// What a sandboxed program gets beforehand: addresses, until they are used.
constexpr size_t kReserve = 16 << 20;
constexpr uint32_t kNodesAhead = 1 << 17;
constexpr uint32_t kModulesAhead = 256, kStringsAhead = 64 << 10;

thread_local constinit bool t_seen_before = false;

// The number behind "\nNAME:" in /proc/self/status; kNoCount: it is not there.
uint32_t StatusField(const char* status, const char* name) {
  for (const char* line = status; *line != 0; ++line) {
    if (line != status && line[-1] != '\n') continue;
    const char* at = line;
    const char* n = name;
    while (*n != 0 && *at == *n) ++at, ++n;
    if (*n != 0 || *at != ':') continue;
    do ++at;
    while (*at == ' ' || *at == '\t');
    uint32_t value = 0;
    for (; *at >= '0' && *at <= '9'; ++at) {
      value = value * 10 + static_cast<uint32_t>(*at - '0');
    }
    return value;
  }
  return kNoCount;
}

}  // namespace

uint32_t CountFilters() {
  const long file = sys::Call(SYS_openat, AT_FDCWD, sys::Arg("/proc/self/status"),
                              O_RDONLY | O_CLOEXEC);
  if (sys::IsError(file)) return kNoCount;
  char status[4096];
  const long n = sys::Call(SYS_read, file, sys::Arg(status), sizeof(status) - 1);
  sys::Call(SYS_close, file);
  if (n <= 0) return kNoCount;
  status[n] = 0;
  const uint32_t filters = StatusField(status, "Seccomp_filters");
  // Linux before 5.9 does not count them.
  return filters != kNoCount ? filters : StatusField(status, "Seccomp");
}

bool StartsInSandbox() {
  const uint32_t launcher = ReadOptions().filters;
  const uint32_t own = CountFilters();
  return launcher != kNoCount && own != kNoCount && own > launcher;
}

void PrepareForFilter(bool strict) {
  const KeepErrno keep;
  t_seen_before = g_filter_seen.load(std::memory_order_relaxed);
  // A forked child that has not allocated yet sets up now or never.
  if (AcquireState() != nullptr && MayCall()) {
    ReserveMemory(kReserve);
    const ImageHeader* const header = g_image.header;
    const auto ahead = [](const std::atomic<uint32_t>& used, uint32_t more) {
      return used.load(std::memory_order_relaxed) + more;
    };
    // Chunk by chunk: they come in order.
    for (uint32_t id = header->node_count.load(std::memory_order_relaxed);
         id < ahead(header->node_count, kNodesAhead);) {
      if (!g_image.GrowNodes(id)) break;
      id = kNodeChunks.FirstOf(kNodeChunks.ChunkOf(id) + 1);
    }
    g_image.GrowModules(ahead(header->module_count, kModulesAhead));
    g_image.GrowStrings(ahead(header->strings_used, kStringsAhead));
    ReserveRings();
  }
  g_filter_seen.store(true, std::memory_order_seq_cst);
  if (strict) ForbidTsc();
}

void FilterSet(bool installed, bool strict) {
  if (strict && !installed) AllowTsc();
  // The collector need not find out for itself.
  ImageHeader* const header = OwnImage();
  if (installed && header != nullptr) {
    header->filtered.store(1, std::memory_order_relaxed);
  }
  if (!installed && !t_seen_before) {
    g_filter_seen.store(false, std::memory_order_relaxed);
  }
}

}  // namespace mallogram
