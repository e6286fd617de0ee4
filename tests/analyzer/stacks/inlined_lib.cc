// A module with known inlined frames, for symbolizer_test: Outer calls Middle
// calls Inner calls Probe, the first three of which are one function in the code.
// Built with -g -O2. The line numbers are told by the code itself.
#include <cstdint>

extern "C" {
extern uint32_t inner_line, middle_line, outer_line, template_line;
uint32_t inner_line, middle_line, outer_line, template_line;
__attribute__((visibility("default"))) void* OuterPc();
__attribute__((visibility("default"))) void* TemplatePc();
}

namespace shapes {

__attribute__((noinline)) void* Probe() {
  void* volatile pc = __builtin_return_address(0);
  return pc;
}

class Walker {
 public:
  __attribute__((always_inline)) inline void* Inner(int i) {
    if (i == 0) return nullptr;
    enum { kLine = __LINE__ + 1 };
    pc_ = Probe();
    inner_line = kLine;
    asm volatile("" ::: "memory");
    return pc_;
  }

  __attribute__((always_inline)) inline void* Middle(int i) {
    middle_line = __LINE__ + 1;
    return Inner(i + 1);
  }

  // Not inlined, and named with arguments: shapes::Walker::Of<int, char*>.
  template <typename A, typename B>
  __attribute__((noinline)) void* Of(A, B) {
    enum { kLine = __LINE__ + 1 };
    pc_ = Probe();
    template_line = kLine;
    asm volatile("" ::: "memory");
    return pc_;
  }

  __attribute__((noinline)) void* Outer() {
    outer_line = __LINE__ + 1;
    return Middle(4);
  }

 private:
  void* volatile pc_ = nullptr;
};

}  // namespace shapes

void* OuterPc() { return shapes::Walker().Outer(); }
void* TemplatePc() {
  char* none = nullptr;
  return shapes::Walker().Of(1, none);
}
