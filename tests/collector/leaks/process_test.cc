// Scans of real processes: children of the test that know what is to be found.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "preload/collector/leaks/process_memory.h"
#include "tests/collector/leaks/stopped_child.h"

namespace mallogram {
namespace {

// A block, known by what is not its address. Nothing of it is left in registers or
// on the stack when the child has stopped: Wash().
[[gnu::noinline]] uint64_t Make(size_t size) {
  char* volatile block = static_cast<char*>(malloc(size));
  memset(block, 0, size);
  const uint64_t hidden = ~reinterpret_cast<uint64_t>(block);
  block = nullptr;
  return hidden;
}
[[gnu::noinline]] void PutAt(uint64_t hidden_place, uint64_t hidden,
                             uint64_t offset) {
  *reinterpret_cast<volatile uint64_t*>(~hidden_place) = ~hidden + offset;
}
[[gnu::noinline]] void Wash() {
  volatile char stack[16 << 10];
  for (volatile char& c : stack) c = 0;
}
[[noreturn, gnu::noinline]] void Wait(Teller* teller) {
  Wash();
  teller->Ready();
  for (;;) pause();
}
uint64_t Hide(const volatile void* place) {
  return ~reinterpret_cast<uint64_t>(place);
}

uint64_t g_global, g_interior;
thread_local uint64_t t_local;
pthread_key_t g_keys[40];

void ExpectTold(const StoppedChild& child, const LeakCheck& check) {
  ASSERT_TRUE(child.ready());
  EXPECT_TRUE(check.classified);
  for (size_t i = 0; i < child.told.size(); ++i) {
    const LeakGroup* const group = child.GroupOf(check, i);
    ASSERT_NE(group, nullptr) << "block " << i;
    EXPECT_EQ(group->kind, child.told[i].kind) << "block " << i;
    EXPECT_EQ(group->root.kind, child.told[i].root)
        << "block " << i << " at " << std::hex << ~child.told[i].hidden << " root "
        << group->root.address << " offset " << group->interior_offset;
    EXPECT_EQ(group->bytes, child.told[i].size);
  }
}

void ExpectTold(const std::function<void(Teller*)>& run) {
  StoppedChild child(run);
  const absl::StatusOr<LeakCheck> check = ScanProcess(child.request);
  ASSERT_TRUE(check.ok()) << check.status();
  ExpectTold(child, *check);
}

TEST(Process, EveryKindOfRootHoldsAndNothingElse) {
  ExpectTold([](Teller* teller) {
    const auto tell = [&](uint64_t hidden, LeakClass kind, RootKind root) {
      teller->Tell(hidden, 40, kind, root);
    };
    const uint64_t lost = Make(40), below = Make(40);
    PutAt(lost, below, 0);
    tell(lost, LeakClass::kDefinite, RootKind::kNone);
    tell(below, LeakClass::kIndirect, RootKind::kNone);

    uint64_t block = Make(40);
    PutAt(Hide(&g_global), block, 0);
    tell(block, LeakClass::kReachable, RootKind::kGlobal);
    const uint64_t second = Make(40);
    PutAt(block - 8, second, 0);  // ~(address + 8)
    tell(second, LeakClass::kReachable, RootKind::kGlobal);
    block = Make(40);
    PutAt(Hide(&g_interior), block, 12);
    tell(block, LeakClass::kPossible, RootKind::kGlobal);

    block = Make(40);
    PutAt(Hide(&t_local), block, 0);
    tell(block, LeakClass::kReachable, RootKind::kThreadLocal);
    volatile uint64_t local = 0;
    block = Make(40);
    PutAt(Hide(&local), block, 0);
    tell(block, LeakClass::kReachable, RootKind::kStack);

    void* const anonymous = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    block = Make(40);
    PutAt(Hide(static_cast<char*>(anonymous) + 0x54320), block, 0);
    tell(block, LeakClass::kReachable, RootKind::kMapping);
    void* const shared = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    block = Make(40);
    PutAt(Hide(static_cast<char*>(shared) + 0x12340), block, 0);
    tell(block, LeakClass::kReachable, RootKind::kMapping);
    Wait(teller);
  });
}

TEST(Process, PthreadKeysHold) {
  StoppedChild child([](Teller* teller) {
    for (pthread_key_t& key : g_keys) pthread_key_create(&key, nullptr);
    for (const int i :
         {0, 39}) {  // in the thread's block, and in a table beside it
      const uint64_t block = Make(48);
      pthread_setspecific(g_keys[i], reinterpret_cast<void*>(~block));
      // Of the table nothing is known to this test: it is no block of the list.
      teller->Tell(block, 48, i == 0 ? LeakClass::kReachable : LeakClass::kDefinite,
                   i == 0 ? RootKind::kThreadLocal : RootKind::kNone);
    }
    Wait(teller);
  });
  const absl::StatusOr<LeakCheck> check = ScanProcess(child.request);
  ASSERT_TRUE(check.ok());
  ExpectTold(child, *check);
}

[[gnu::noinline]] void LeaveOnStack(uint64_t hidden) {
  volatile uint64_t there[512];  // beyond the red zone, by far
  for (int i = 0; i < 64; ++i) there[i] = ~hidden;
  asm volatile("" ::"r"(there) : "memory");
}

TEST(Process, WhatLiesBelowTheStackPointerIsDead) {
  ExpectTold([](Teller* teller) {
    const uint64_t block = Make(40);
    teller->Tell(block, 40, LeakClass::kDefinite);
    Wash();
    LeaveOnStack(block);
    teller->Ready();
    for (;;) {
      asm volatile("xor %%eax, %%eax; xor %%esi, %%esi; xor %%edi, %%edi; pause" ::
                       : "rax", "rsi", "rdi");
    }
  });
}

struct ThreadCase {
  Teller* teller;
  pthread_barrier_t barrier;
};

TEST(Process, OtherThreadsHoldBlocksAndEndedOnesDont) {
  ExpectTold([](Teller* teller) {
    static ThreadCase c;
    c.teller = teller;
    pthread_barrier_init(&c.barrier, nullptr, 2);
    pthread_t ended, living;
    // Its stack is kept by glibc, with what is on it.
    pthread_create(
        &ended, nullptr,
        [](void*) -> void* {
          const uint64_t block = Make(56);
          c.teller->Tell(block, 56, LeakClass::kDefinite);
          LeaveOnStack(block);
          return nullptr;
        },
        nullptr);
    pthread_join(ended, nullptr);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 20);  // not the kept one
    pthread_create(
        &living, &attributes,
        [](void*) -> void* {
          volatile uint64_t local = 0;
          // An arena of its own: a freed block's content holds nothing.
          const uint64_t by_stack = Make(56), by_tls = Make(56), freed = Make(1000),
                         lost = Make(56);
          PutAt(Hide(&local), by_stack, 0);
          PutAt(Hide(&t_local), by_tls, 0);
          PutAt(freed - 512, lost, 0);
          free(reinterpret_cast<void*>(~freed));
          c.teller->Tell(by_stack, 56, LeakClass::kReachable, RootKind::kStack);
          c.teller->Tell(by_tls, 56, LeakClass::kReachable, RootKind::kThreadLocal);
          c.teller->Tell(lost, 56, LeakClass::kDefinite);
          Wash();
          pthread_barrier_wait(&c.barrier);
          for (;;) pause();
        },
        nullptr);
    pthread_barrier_wait(&c.barrier);
    Wait(teller);
  });
}

TEST(Process, NeighboursInOneLineOfMapsAreToldApart) {
  ExpectTold([](Teller* teller) {
    const size_t size = 1 << 20;
    const uint64_t mapped = Make(size),
                   inner = Make(40);  // has a mapping of its own
    PutAt(mapped - 4096, inner, 0);
    teller->Tell(mapped, size, LeakClass::kDefinite);
    teller->Tell(inner, 40, LeakClass::kIndirect);
    // The program's own memory right below and above it.
    const uint64_t start = (~mapped - 16) & ~uint64_t{4095};
    const uint64_t end = start + size + 4096;
    for (const uint64_t at : {start - (1 << 16), end}) {
      void* const place =
          mmap(reinterpret_cast<void*>(at), 1 << 16, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      const uint64_t block = Make(40);
      if (place == MAP_FAILED) {  // taken by something else: nothing to be shown
        teller->Tell(block, 40, LeakClass::kDefinite);
        continue;
      }
      PutAt(Hide(static_cast<char*>(place) + 0x8008), block, 0);
      teller->Tell(block, 40, LeakClass::kReachable, RootKind::kMapping);
    }
    Wait(teller);
  });
}

TEST(Process, ReservationsAreNotReadAndUnreadableMemoryIsSaidToBe) {
  StoppedChild child([](Teller* teller) {
    const size_t size = size_t{4} << 30;
    char* const sparse = static_cast<char*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    const uint64_t block = Make(40);
    PutAt(Hide(sparse + size / 2 + 8), block, 0);
    teller->Tell(block, 40, LeakClass::kReachable, RootKind::kMapping);
    char* const closed =
        static_cast<char*>(mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const uint64_t hidden = Make(40);
    PutAt(Hide(closed + 4096), hidden, 0);
    mprotect(closed, 1 << 20, PROT_NONE);
    teller->Tell(hidden, 40, LeakClass::kDefinite);
    Wait(teller);
  });
  const absl::StatusOr<LeakCheck> check = ScanProcess(child.request);
  ASSERT_TRUE(check.ok());
  ExpectTold(child, *check);
  EXPECT_LT(check->scanned_bytes, uint64_t{64} << 20);
  EXPECT_GT(check->root_bytes, 0u);
  ASSERT_FALSE(check->warnings.empty());
  EXPECT_NE(check->warnings[0].find("without read permission"), std::string::npos);
}

TEST(Process, WhatIsGoneIsAnErrorOrUnread) {
  ScanRequest request;
  LiveMap live;
  HeapModel model;
  request.live = &live;
  request.model = &model;
  request.pid = 0x3fffffff;
  // Nothing is alive: nothing is looked at.
  const absl::StatusOr<LeakCheck> nothing = ScanProcess(request);
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->classified);
  EXPECT_EQ(nothing->scanned_bytes, 0u);
  *live.Insert(0x10000) = model.Allocate(0, 4, 40, 1);
  EXPECT_FALSE(ScanProcess(request).ok());

  // Blocks where nothing is, of sizes that can't be.
  StoppedChild child([](Teller* teller) {
    teller->Tell(~uint64_t{0x123456789000}, 1 << 30, LeakClass::kDefinite);
    teller->Tell(~uint64_t{0xff00000123450000}, uint64_t{1} << 55,
                 LeakClass::kDefinite);
    Wait(teller);
  });
  const absl::StatusOr<LeakCheck> check = ScanProcess(child.request);
  ASSERT_TRUE(check.ok());
  ExpectTold(child, *check);
}

TEST(Process, DeadPartsMayBeNamedByTheCaller) {
  StoppedChild child([](Teller* teller) {
    volatile uint64_t local = 0;
    const uint64_t block = Make(40);
    PutAt(Hide(&local), block, 0);
    teller->Tell(block, 40, LeakClass::kDefinite);
    // A word for the place above which life begins.
    teller->Tell(Hide(&local) - 64, 8, LeakClass::kDefinite);
    Wait(teller);
  });
  ASSERT_EQ(child.told.size(), 2u);
  child.request.threads[0].live_sp = ~child.told[1].hidden;
  child.live.Take(~child.told[1].hidden);
  const absl::StatusOr<LeakCheck> check = ScanProcess(child.request);
  ASSERT_TRUE(check.ok());
  EXPECT_EQ(child.GroupOf(*check, 0)->kind, LeakClass::kDefinite);
}

TEST(Process, IgnoredAndInheritedBlocks) {
  StoppedChild child([](Teller* teller) {
    const uint64_t ignored = Make(40), inherited = Make(64), held = Make(40);
    PutAt(Hide(&g_global), inherited, 0);
    PutAt(inherited - 16, held, 0);
    teller->Tell(ignored, 40, LeakClass::kIgnored);
    teller->Tell(held, 40, LeakClass::kReachable, RootKind::kInherited);
    teller->Tell(inherited, 64, LeakClass::kReachable, RootKind::kGlobal);
    Wait(teller);
  });
  const uint64_t inherited = ~child.told[2].hidden;
  child.model.Free(0, child.live.Take(inherited), 100);
  child.told.pop_back();
  child.request.inherited = {{inherited, 64}};
  child.request.ignored = {child.live.Find(~child.told[0].hidden)};
  const absl::StatusOr<LeakCheck> check = ScanProcess(child.request);
  ASSERT_TRUE(check.ok());
  ExpectTold(child, *check);
  EXPECT_EQ(child.GroupOf(*check, 1)->root.address, inherited + 16);
}

}  // namespace
}  // namespace mallogram
