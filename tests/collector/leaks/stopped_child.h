// A child of the test that makes blocks, says what it expects of each, and is
// stopped.
//
// What it remembers of them is written in a way that no scan takes for a pointer.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "preload/collector/leaks/scan_process.h"

namespace mallogram {

struct Told {
  uint64_t hidden;  // ~address
  uint64_t size;
  LeakClass kind;
  RootKind root;
};

// In the child: what it tells the test. One page that the fork shares; not a
// pointer in it.
class Teller {
 public:
  static constexpr size_t kMost = 100;
  Teller()
      : page_(static_cast<Page*>(mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  // Never unmapped: its address stays on the stack, and the next child's blocks
  // must not come to lie there.
  void Tell(uint64_t hidden, uint64_t size, LeakClass kind,
            RootKind root = RootKind::kNone) {
    page_->told[page_->count++] = {hidden, size, kind, root};
  }
  void Ready() { page_->ready = 1; }
  bool ready() const { return page_->ready != 0; }
  std::vector<Told> told() const {
    return {page_->told, page_->told + page_->count};
  }

 private:
  struct Page {
    volatile uint32_t ready;
    uint32_t count;
    Told told[kMost];
  };
  Page* const page_;
};

class StoppedChild {
 public:
  // `run` in a child, which is stopped when it says Ready() and waits.
  explicit StoppedChild(const std::function<void(Teller*)>& run) {
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      // What the test freed before the fork is not to be given out: its address may
      // still stand on the stack.
      for (int i = 0; i < 40000; ++i) {
        asm volatile("" ::"r"(malloc(static_cast<size_t>(i % 40 * 8))));
      }
      run(&teller_);
      _exit(0);
    }
    for (int i = 0; i < 2000 && !teller_.ready(); ++i) usleep(5000);
    for (const auto& entry : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(pid_) + "/task")) {
      StoppedThread thread;
      thread.tid = std::stoi(entry.path().filename());
      if (ptrace(PTRACE_ATTACH, thread.tid, nullptr, nullptr) != 0) abort();
      waitpid(thread.tid, nullptr, __WALL);
      ptrace(PTRACE_GETREGS, thread.tid, nullptr, &thread.registers);
      request.threads.push_back(thread);
    }
    request.pid = pid_;
    request.live = &live;
    request.model = &model;
    told = teller_.told();
    // Each block has a stack of its own, by which its group is found again.
    for (size_t i = 0; i < told.size(); ++i) {
      *live.Insert(~told[i].hidden) =
          model.Allocate(0, static_cast<uint32_t>(i + 4), told[i].size, i + 1);
    }
  }
  ~StoppedChild() {
    kill(pid_, SIGKILL);
    while (waitpid(-1, nullptr, __WALL) > 0) {
    }
  }

  bool ready() const { return teller_.ready(); }
  const LeakGroup* GroupOf(const LeakCheck& check, size_t number) const {
    for (const LeakGroup& group : check.groups) {
      if (group.stack == number + 4) return &group;
    }
    return nullptr;
  }

  ScanRequest request;
  LiveMap live;
  HeapModel model;
  std::vector<Told> told;
  pid_t pid() const { return pid_; }

 private:
  Teller teller_;
  pid_t pid_ = 0;
};

}  // namespace mallogram
