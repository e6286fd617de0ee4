// Functions and variables for made recordings: every kind of variable that a root
// can be, and allocating functions with known lines (the marker comments).
#include <cstdlib>

extern "C" {
void* c_global;
static void* c_static[4];
void** c_function() {
  static void* c_local[2];
  return c_local;
}
}

namespace cache {
struct Table {
  void* first;
  void* second;
};
Table table_;
namespace {
void* hidden_;
}
void** Instance() {
  static void* instance[3];
  return instance;
}
void** Hidden() { return &hidden_; }

[[gnu::noinline]] void* Make(size_t size) {
  void* made = malloc(size);  // MAKE
  if (made != nullptr) *static_cast<char*>(made) = 1;
  return made;
}
[[gnu::noinline]] void* Keep(int count) {
  void* kept = calloc(static_cast<size_t>(count), 8);  // KEEP
  if (kept != nullptr) *static_cast<char*>(kept) = 1;
  return kept;
}
}  // namespace cache

extern "C" [[gnu::noinline]] void* outermost(int count) {
  void* a = cache::Make(static_cast<size_t>(count));  // OUTER
  void* b = cache::Keep(count);
  c_static[0] = b;
  return c_static[0] == a ? b : a;
}
