#include "preload/collector/liveness.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

// From the list node, at the start of the private page, to the futex word.
constexpr long kWordFromNode =
    static_cast<long>(kImagePage + offsetof(ImageHeader, collector_alive));

thread_local robust_list_head list_head;
// The thread that list_head is registered for: a forked child inherits the variable
// but not the registration.
thread_local uint32_t registered_tid = 0;

robust_list* NodeOf(ImageHeader* header) {
  return reinterpret_cast<robust_list*>(reinterpret_cast<char*>(header) -
                                        kImagePage);
}

std::atomic<uint32_t>* WordOf(ImageHeader* header) {
  return reinterpret_cast<std::atomic<uint32_t>*>(&header->collector_alive);
}

}  // namespace

absl::StatusOr<void*> MapImage(int fd, size_t bytes) {
  void* const reserved = mmap(nullptr, kImagePage + bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no address space for an image of ", bytes, " bytes"));
  }
  char* const base = static_cast<char*>(reserved) + kImagePage;
  if (mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
      MAP_FAILED) {
    const int error = errno;
    munmap(reserved, kImagePage + bytes);
    return absl::InternalError(
        absl::StrCat("cannot map the program's image: ", std::strerror(error)));
  }
  return base;
}

void UnmapImage(void* base, size_t bytes) {
  munmap(static_cast<char*>(base) - kImagePage, kImagePage + bytes);
}

void MarkAlive(ImageHeader* header) {
  const auto tid = static_cast<uint32_t>(syscall(SYS_gettid));
  if (registered_tid != tid) {
    list_head.list.next = &list_head.list;
    list_head.futex_offset = kWordFromNode;
    list_head.list_op_pending = nullptr;
    syscall(SYS_set_robust_list, &list_head, sizeof(list_head));
    registered_tid = tid;
  }
  robust_list* const node = NodeOf(header);
  node->next = list_head.list.next;
  // The word after the link would leave a moment in which our death is missed;
  // the kernel skips linked words that don't hold the dying thread's id.
  list_head.list.next = node;
  WordOf(header)->store(tid, std::memory_order_release);
}

void MarkDead(ImageHeader* header) {
  WordOf(header)->store(FUTEX_OWNER_DIED, std::memory_order_release);
  robust_list* const node = NodeOf(header);
  for (robust_list* p = &list_head.list; p->next != &list_head.list; p = p->next) {
    if (p->next == node) {
      p->next = node->next;
      return;
    }
  }
}

}  // namespace mallogram
