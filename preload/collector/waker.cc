#include "preload/collector/waker.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace mallogram {
namespace {

constexpr uint64_t kBillion = 1'000'000'000;
// Without futex_waitv only one futex can be waited for: nap instead.
constexpr uint64_t kNapNs = 1'000'000;

long Futex(const std::atomic<uint32_t>& word, int operation, uint32_t value,
           uint64_t timeout_ns) {
  const timespec timeout{static_cast<time_t>(timeout_ns / kBillion),
                         static_cast<long>(timeout_ns % kBillion)};
  return syscall(SYS_futex, &word, operation, value,
                 timeout_ns == 0 ? nullptr : &timeout, nullptr, 0);
}

}  // namespace

Waker::Waker(int epoll_fd) : epoll_fd_(epoll_fd) {
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  try {
    // Without it the watcher could not be told to end.
    if (stop_fd_ < 0) throw std::system_error(errno, std::generic_category());
    watcher_ = std::thread(&Waker::Watch, this);
    watching_ = true;
  } catch (const std::system_error&) {
    attention_.store(
        1);  // for good: the caller looks at its descriptors each round
  }
}

Waker::~Waker() {
  stop_.store(true);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = write(stop_fd_, &one, sizeof(one));
  Handled();
  if (watching_) watcher_.join();
  if (stop_fd_ >= 0) close(stop_fd_);
}

void Waker::Watch() {
  pollfd fds[2] = {{epoll_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
  while (!stop_.load()) {
    if (poll(fds, 2, -1) <= 0) continue;
    if (stop_.load()) return;
    // Release: pairs with attention(); the collector's epoll_wait comes after it.
    attention_.store(1, std::memory_order_release);
    Futex(attention_, FUTEX_WAKE_PRIVATE, 2, 0);
    while (attention_.load(std::memory_order_acquire) != 0 && !stop_.load()) {
      Futex(attention_, FUTEX_WAIT_PRIVATE, 1, 0);
    }
  }
}

void Waker::Call() {
  attention_.store(1, std::memory_order_release);
  Futex(attention_, FUTEX_WAKE_PRIVATE, 2, 0);
}

void Waker::Handled() {
  if (!watching_) return;
  attention_.store(0, std::memory_order_release);
  Futex(attention_, FUTEX_WAKE_PRIVATE, 2, 0);
}

void Waker::Sleep(const std::vector<Session*>& sessions, uint64_t timeout_ns,
                  bool only_if_idle) {
  doorbells_.clear();
  for (Session* session : sessions) {
    ImageHeader* header = session->header();
    // The value is read first: a bell that rings after this makes the wait return
    // at once. Then the flag: a producer that fills its ring from here on sees it
    // and rings. seq_cst: the flag is out before the rings are looked at, as the
    // producer's head is out before it looks at the flag.
    doorbells_.push_back(header->doorbell.load(std::memory_order_acquire));
    header->collector_sleeps.store(1, std::memory_order_seq_cst);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool work =
      std::any_of(sessions.begin(), sessions.end(), [only_if_idle](Session* s) {
        return s->HasRequest() || (only_if_idle && s->HasWork());
      });
  if (!watching_) {
    if (!work) usleep(kNapNs / 1000);
  } else if (!work && !attention()) {
    Wait(sessions, doorbells_, timeout_ns);
  }
  for (Session* session : sessions) {
    session->header()->collector_sleeps.store(0, std::memory_order_relaxed);
  }
}

void Waker::Wait(const std::vector<Session*>& sessions,
                 const std::vector<uint32_t>& doorbells, uint64_t timeout_ns) {
  if (sessions.empty()) {
    Futex(attention_, FUTEX_WAIT_PRIVATE, 0, timeout_ns);
    return;
  }
  if (has_waitv_ && sessions.size() < FUTEX_WAITV_MAX) {
    futex_waitv waiters[FUTEX_WAITV_MAX] = {};
    waiters[0].uaddr = reinterpret_cast<uint64_t>(&attention_);
    waiters[0].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
    for (size_t i = 0; i < sessions.size(); ++i) {
      waiters[i + 1].val = doorbells[i];
      waiters[i + 1].uaddr =
          reinterpret_cast<uint64_t>(&sessions[i]->header()->doorbell);
      waiters[i + 1].flags = FUTEX_32;  // shared with the program
    }
    timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const uint64_t end = static_cast<uint64_t>(until.tv_sec) * kBillion +
                         static_cast<uint64_t>(until.tv_nsec) + timeout_ns;
    until = {static_cast<time_t>(end / kBillion),
             static_cast<long>(end % kBillion)};
    if (syscall(SYS_futex_waitv, waiters, sessions.size() + 1, 0,
                timeout_ns == 0 ? nullptr : &until, CLOCK_MONOTONIC) >= 0 ||
        errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR) {
      return;
    }
    has_waitv_ = false;  // ENOSYS, or a sandbox that does not know it
  }
  Futex(attention_, FUTEX_WAIT_PRIVATE, 0,
        timeout_ns == 0 ? kNapNs : std::min(timeout_ns, kNapNs));
}

}  // namespace mallogram
