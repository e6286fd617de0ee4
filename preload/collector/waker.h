// The collector's sleep: until a program rings its doorbell (a futex in its image),
// something happens on a descriptor (a connection, a process's end, a word from the
// launcher), or time is up. No system call waits for futexes and descriptors
// together, so one helper thread watches the descriptors and turns what it sees
// into a futex of our own.
//
// Handshake: the watcher sets `attention_` and sleeps on it; the collector's thread
// handles all that is ready and calls Handled(), which lets the watcher look again.
// So one event costs one wake-up, and the watcher never spins on a descriptor that
// is readable for long.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "preload/collector/session.h"

namespace mallogram {

class Waker {
 public:
  // Watches the epoll instance; the caller keeps ownership.
  explicit Waker(int epoll_fd);
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  // True: some descriptor in the epoll instance is (or may be) ready. One load.
  bool attention() const { return attention_.load(std::memory_order_acquire) != 0; }
  // Sets it, from any thread, and ends the sleep.
  void Call();
  // After epoll_wait said that nothing is ready any more.
  void Handled();

  // Sleeps (not at all if a session HasRequest) until attention, a doorbell of one
  // of `sessions`, or the timeout (in nanoseconds; 0: none). `only_if_idle`:
  // returns at once if a session HasWork. Sets and clears collector_sleeps around
  // it.
  void Sleep(const std::vector<Session*>& sessions, uint64_t timeout_ns,
             bool only_if_idle);

 private:
  void Watch();
  void Wait(const std::vector<Session*>& sessions,
            const std::vector<uint32_t>& doorbells, uint64_t timeout_ns);

  const int epoll_fd_;
  int stop_fd_;
  std::atomic<uint32_t> attention_{0};  // shared with the watcher, as a futex
  std::atomic<bool> stop_{false};
  bool watching_ = false;            // false: no thread to be had, so poll
  bool has_waitv_ = true;            // futex_waitv: Linux 5.16
  std::vector<uint32_t> doorbells_;  // kept to save allocations
  std::thread watcher_;
};

}  // namespace mallogram
