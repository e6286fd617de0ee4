#include "preload/thread_id.h"

#include "preload/may_call.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

int g_process;
long g_offset = -1;  // of the number in the control block; -1: not known
bool g_looked;

// Known if it is not what the control block says.
thread_local constinit int t_thread = 0;

int InControlBlock() {
  return *reinterpret_cast<const int*>(ThreadPointer() +
                                       static_cast<uint64_t>(g_offset));
}

// {bits, elements, offset in bytes} of pthread.tid: nptl_db's interface, the same
// since glibc 2.3.
void FindOffset(const uint32_t* field, int self) {
  g_looked = true;
  constexpr uint32_t kIntBits = 32, kMaxOffset = 4096;
  if (field == nullptr || field[0] != kIntBits || field[2] > kMaxOffset) return;
  g_offset = static_cast<long>(field[2]);
  if (InControlBlock() != self) g_offset = -1;
}

}  // namespace

void InitThreadIds(const uint32_t* field) {
  g_process = sys::GetPid();
  const int self = sys::GetTid();
  if (!g_looked) FindOffset(field, self);
  t_thread = self;
}

int ThreadId() {
  if (t_thread == 0) {
    t_thread = g_offset >= 0 ? InControlBlock() : MayCall() ? sys::GetTid() : 0;
  }
  return t_thread;
}

bool IsMainThread() {
  if (g_process == 0 && MayCall()) g_process = sys::GetPid();
  return ThreadId() == g_process;
}

}  // namespace mallogram
