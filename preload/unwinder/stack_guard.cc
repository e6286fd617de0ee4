#include "preload/unwinder/stack_guard.h"

#include <signal.h>

#include "preload/may_call.h"
#include "preload/sys.h"
#include "preload/thread_id.h"

// Exported by the loader: where the main thread's stack began.
extern "C" void* __libc_stack_end;

namespace mallogram {
namespace {

constexpr uint64_t kPage = 4096;
// Pages probed in one go towards a far address (1 GiB of stack).
constexpr uint64_t kMaxProbe = 1 << 18;

bool Readable(uint64_t address) {
  if (address < kPage) return false;  // to the kernel a null pointer is "no set"
  if (!MayCall()) return false;       // not known, then: the walk ends here
  constexpr long kInvalidHow = ~0L;
  const long result = sys::Call(SYS_rt_sigprocmask, kInvalidHow,
                                static_cast<long>(address & ~uint64_t{7}), 0, 8);
  return result != -EFAULT;
}

// [low, top of the stack): readable for the thread's life. A signal handler may
// come between any two instructions: each word is right by itself, and only `low`
// gives a permission.
struct Known {
  uint64_t low;      // 0: nothing known yet
  uint64_t barrier;  // page below low that could not be read, 0: none
};
thread_local constinit Known t_below_tcb{}, t_below_main_end{};

// What lies below the main thread's TCB is no stack: other mappings, which may go.
bool InOwnStack(uint64_t address) {
  const uint64_t tcb = ThreadPointer();
  const auto main_end = reinterpret_cast<uint64_t>(__libc_stack_end);
  const bool below_tcb = address < tcb;
  if (below_tcb ? IsMainThread() : address >= main_end) return false;
  Known& known = below_tcb ? t_below_tcb : t_below_main_end;
  const uint64_t page = address & ~(kPage - 1);
  uint64_t low = known.low;
  if (low == 0) low = (below_tcb ? tcb : main_end) & ~(kPage - 1);
  if (page <= known.barrier || (page < low && (low - page) / kPage > kMaxProbe))
    return false;
  for (; low > page; low -= kPage) {
    if (!Readable(low - kPage)) {
      known.barrier = low - kPage;
      return false;
    }
    known.low = low - kPage;
  }
  return true;
}

}  // namespace

bool StackGuard::Read(uint64_t address, uint64_t* value) {
  if ((address & 7) != 0 && (address & (kPage - 1)) > kPage - 8) return false;
  if (!InOwnStack(address)) {
    unstable_ = true;
    const uint64_t page = address & ~(kPage - 1);
    if (page == 0 || (page != page_ && !Readable(address))) return false;
    page_ = page;
  }
  __builtin_memcpy(value, reinterpret_cast<const void*>(address), sizeof(*value));
  return true;
}

}  // namespace mallogram
