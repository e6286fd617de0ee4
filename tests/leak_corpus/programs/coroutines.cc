// A coroutine that nobody resumes or destroys: its frame is lost, with what its
// variables own. Held by a global: reachable. Destroyed: none.
#include <coroutine>
#include <memory>

#include "tests/leak_corpus/programs/leak.h"

namespace {

struct Task {
  struct promise_type {
    Task get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
    // The frame's size is the compiler's affair.
    static void* operator new(size_t size) { return Frame(size); }
    static void operator delete(void* p) { ::operator delete(p); }
    NOINLINE static void* Frame(size_t size) {
      return ::operator new(size);  // LEAK definite 1 block, reachable 1 block
    }
  };
  std::coroutine_handle<promise_type> handle;
};

struct Item {
  long value[6] = {};
};

Task Work(long* result) {
  auto item = std::make_unique<Item>();  // LEAK indirect 1 block 48 bytes, reachable 1 block 48 bytes
  co_await std::suspend_always();
  *result = item->value[3];
}

NOINLINE void Lose(long* result) { Use(Work(result).handle.address()); }
NOINLINE void Destroy(long* result) { Work(result).handle.destroy(); }

}  // namespace

Task kept;
long answer;

int main() {
  Lose(&answer);
  Destroy(&answer);
  kept = Work(&answer);
  Use(&kept);
  ScrubStack();
  return 0;
}
