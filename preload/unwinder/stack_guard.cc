#include "preload/unwinder/stack_guard.h"

#include <signal.h>

#include "preload/sys.h"

// Exported by the loader: where the main thread's stack began.
extern "C" void* __libc_stack_end;

namespace mallogram {
namespace {

constexpr uint64_t kPage = 4096;
// Pages probed in one go towards a far address (1 GiB of stack).
constexpr uint64_t kMaxProbe = 1 << 18;

bool Readable(uint64_t address) {
  if (address < kPage) return false;  // to the kernel a null pointer is "no set"
  constexpr long kInvalidHow = ~0L;
  const long result = sys::Call(SYS_rt_sigprocmask, kInvalidHow,
                                static_cast<long>(address & ~uint64_t{7}), 0, 8);
  return result != -EFAULT;
}

uint64_t ThreadControlBlock() {
  uint64_t tcb;
  asm("mov %%fs:0, %0" : "=r"(tcb));
  return tcb;
}

}  // namespace

bool StackGuard::InOwnStack(uint64_t address) {
  const uint64_t tcb = ThreadControlBlock();
  const auto main_end = reinterpret_cast<uint64_t>(__libc_stack_end);
  const uint64_t top = address < tcb ? tcb : address < main_end ? main_end : 0;
  if (top == 0) return false;
  const uint64_t page = address & ~(kPage - 1);
  if (top_ != top) {  // first use, or the walker went to another thread
    top_ = top;
    low_ = top & ~(kPage - 1);
    barrier_ = 0;
  }
  if (page <= barrier_ || (page < low_ && (low_ - page) / kPage > kMaxProbe))
    return false;
  while (low_ > page) {
    if (!Readable(low_ - kPage)) {
      barrier_ = low_ - kPage;
      return false;
    }
    low_ -= kPage;
  }
  return true;
}

bool StackGuard::Read(uint64_t address, uint64_t* value) {
  if ((address & 7) != 0 && (address & (kPage - 1)) > kPage - 8) return false;
  if (!InOwnStack(address)) {
    unstable_ = true;
    if (!Readable(address)) return false;
  }
  __builtin_memcpy(value, reinterpret_cast<const void*>(address), sizeof(*value));
  return true;
}

}  // namespace mallogram
