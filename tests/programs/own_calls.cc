// own_calls KIND: which system calls does the recorder make in this program's
// threads once it has started? A seccomp filter traps every call whose instruction
// lies in the library; the handler notes its number and makes the call in its
// place.
//
//   small   a few thousand events in a few threads: what the library mapped at its
//           start is enough
//   large   many call stacks, threads and deep recursion: more memory is needed
//
// Prints the numbers, each once, in order; ends by exit() or, with a second word,
// by _exit(). The calls of the very end are printed by the parent, which reads them
// from shared memory.

#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "preload/sys.h"

namespace {

constexpr int kMaxCall = 1024;
std::atomic<uint32_t>* g_seen;  // by number; shared with the parent

void OnTrap(int, siginfo_t* info, void* context) {
  auto* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  if (info->si_syscall < kMaxCall) g_seen[info->si_syscall].fetch_add(1);
  registers[REG_RAX] = mallogram::sys::Call(
      info->si_syscall, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
      registers[REG_R10], registers[REG_R8], registers[REG_R9]);
}

struct Range {
  uint64_t start = 0, end = 0;
};

int FindLibrary(dl_phdr_info* info, size_t, void* out) {
  if (strstr(info->dlpi_name, "libmallogram") == nullptr) return 0;
  auto* const range = static_cast<Range*>(out);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    range->start = info->dlpi_addr + segment.p_vaddr;
    range->end = range->start + segment.p_memsz;
  }
  return 1;
}

// Installed by an instruction of our own, so that the library does not prepare
// itself.
void Watch() {
  Range code;
  dl_iterate_phdr(FindLibrary, &code);
  if (code.start == 0) {
    puts("no library");
    exit(2);
  }
  struct sigaction action = {};
  action.sa_sigaction = OnTrap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSYS, &action, nullptr);
  const auto high = static_cast<uint32_t>(code.start >> 32);
  const auto low = static_cast<uint32_t>(code.start);
  const auto end = static_cast<uint32_t>(code.end);
  constexpr uint32_t kIp = offsetof(seccomp_data, instruction_pointer);
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIp + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIp),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, low, 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, end, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (mallogram::sys::Call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1) != 0 ||
      mallogram::sys::Call(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                           SECCOMP_FILTER_FLAG_TSYNC,
                           reinterpret_cast<long>(&program)) != 0) {
    perror("seccomp");
    exit(2);
  }
}

// Stacks that differ: the bits of `path` say which of the two calls.
[[gnu::noinline]] void Deep(uint32_t path, int depth);
[[gnu::noinline]] void Left(uint32_t path, int depth) {
  Deep(path >> 1, depth);
  asm volatile("");
}
[[gnu::noinline]] void Deep(uint32_t path, int depth) {
  if (depth == 0) {
    free(malloc(10 + path % 100));
  } else if ((path & 1) != 0) {
    Left(path, depth - 1);
  } else {
    Deep(path >> 1, depth - 1);
  }
  asm volatile("");
}

void* Thread(void* argument) {
  const auto rounds = reinterpret_cast<uintptr_t>(argument);
  for (uint32_t i = 0; i < rounds; ++i) Deep(i, 12);
  return nullptr;
}

void Work(bool large) {
  const int threads = large ? 64 : 3;
  pthread_t all[64];
  for (int i = 0; i < threads; ++i) {
    pthread_create(&all[i], nullptr, Thread,
                   reinterpret_cast<void*>(large ? 4096 : 50));
    // In turn they share rings; all at once each has its own.
    if (!large) pthread_join(all[i], nullptr);
  }
  Thread(reinterpret_cast<void*>(large ? 4096 : 500));
  if (large) {
    for (int i = 0; i < threads; ++i) pthread_join(all[i], nullptr);
    Deep(0, 20000);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  g_seen = static_cast<std::atomic<uint32_t>*>(
      mmap(nullptr, kMaxCall * sizeof(*g_seen), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t pid = fork();
  if (pid == 0) {
    free(malloc(1));  // sets the recording up
    Watch();
    Work(strcmp(argv[1], "large") == 0);
    if (argc > 2) _exit(0);
    exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) printf("status %#x\n", status);
  for (int i = 0; i < kMaxCall; ++i) {
    if (g_seen[i].load() != 0) printf("%d\n", i);
  }
}
