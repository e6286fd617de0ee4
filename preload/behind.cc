// The functions behind the interposed ones where they are not libc's: each marks
// the thread for as long as it runs (inside.h). They change nothing else:
// arguments, result and errno are the allocator's.
#include "preload/inside.h"
#include "preload/real.h"

namespace mallogram {
namespace {

// Puts the marking function of a member of RealFunctions in its place.
template <auto kMember>
struct Marking;

template <typename R, typename... A, R (*RealFunctions::*kMember)(A...)>
struct Marking<kMember> {
  static R Call(A... arguments) {
    const InAllocator mark;
    return (g_original.*kMember)(arguments...);
  }
  static void Replace(RealFunctions* real) {
    if (real->*kMember != nullptr) real->*kMember = &Call;
  }
};

template <auto... kMembers>
void ReplaceAll(RealFunctions* real) {
  (Marking<kMembers>::Replace(real), ...);
}

}  // namespace

void MarkCalls(RealFunctions* real) {
  ReplaceAll<&RealFunctions::malloc, &RealFunctions::calloc,
             &RealFunctions::realloc, &RealFunctions::free,
             &RealFunctions::posix_memalign, &RealFunctions::aligned_alloc,
             &RealFunctions::memalign, &RealFunctions::valloc,
             &RealFunctions::pvalloc, &RealFunctions::free_sized,
             &RealFunctions::free_aligned_sized, &RealFunctions::malloc_usable_size,
             &RealFunctions::libc_malloc, &RealFunctions::libc_calloc,
             &RealFunctions::libc_realloc, &RealFunctions::libc_free,
             &RealFunctions::libc_memalign, &RealFunctions::libc_valloc,
             &RealFunctions::libc_pvalloc>(real);
}

}  // namespace mallogram
