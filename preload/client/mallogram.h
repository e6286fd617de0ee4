/* What a program may say to Mallogram while it is recorded. C99 and C++11, nothing
 * to link; in a program that is not recorded every call is a load and a compare.
 *
 *   mallogram_mark("parsed", documents);   a state, and how large the input was
 *   mallogram_leak_check_now();            a leak check here, not only at the end
 *   mallogram_ignore(block);               the block is no leak
 *   mallogram_pause(), _resume();          this thread's allocations in between are
 *                                          not recorded; calls nest
 *   mallogram_pool_create("nodes");        an allocator of the program's own
 *   mallogram_pool_alloc(pool, node, n);   gave this block out
 *   mallogram_pool_free(pool, node);       and took it back
 *   mallogram_pool_destroy(pool);          with all that is left
 *
 * Threads may call all of it at any time; none of it changes errno. The calls are
 * not for signal handlers.
 *
 * Frees of recorded blocks are recorded in a pause, too. What was allocated in one
 * is unknown for good, its free as well; realloc ends a recorded block's record
 * there. In a sampled recording ignore() knows the blocks that are followed.
 *
 * A pool's blocks are accounted for apart from the heap: the memory they lie in
 * came from malloc, mmap or the program's own data, and its bytes are not to count
 * twice. Reports name them by pool and call stack. Those that are left at the end
 * are listed as `unclassified`: whether something still points to them is not
 * looked at, and the memory around them is classified as any other. A pool may give
 * out the address that it got from malloc itself. Names have up to 64 bytes, of
 * marks up to 24.
 */
#ifndef MALLOGRAM_H_
#define MALLOGRAM_H_

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__cplusplus)
#define MALLOGRAM_CAST_(type, value) reinterpret_cast<type>(value)
extern "C" {
#else
#define MALLOGRAM_CAST_(type, value) ((type)(value))
#endif

/* The recording's side of it. Later versions add members at the end. */
struct mallogram_client_table {
  size_t size; /* in bytes: which members there are */
  void (*mark)(const char* name, uint64_t scale_bits);
  int (*leak_check_now)(void);
  void (*ignore)(const void* block);
  void (*pause)(void);
  void (*resume)(void);
  uint32_t (*pool_create)(const char* name);
  void (*pool_alloc)(uint32_t pool, const void* block, size_t size);
  void (*pool_free)(uint32_t pool, const void* block);
  void (*pool_destroy)(uint32_t pool);
};

/* Its address once it was looked for; 0: not yet, 1: there is none. One for all
 * files of a program or library. */
extern uintptr_t mallogram_client_found_;
__attribute__((weak, visibility("hidden"))) uintptr_t mallogram_client_found_ = 0;

static inline const struct mallogram_client_table* mallogram_client_(void) {
  uintptr_t found = __atomic_load_n(&mallogram_client_found_, __ATOMIC_ACQUIRE);
  if (found == 0) {
    /* The default handle: all that the program has loaded. */
    const uintptr_t symbol =
        MALLOGRAM_CAST_(uintptr_t, dlsym(NULL, "mallogram_client_v1"));
    if (symbol == 0) dlerror(); /* nobody is to find this failure */
    found = symbol != 0 ? symbol : 1;
    __atomic_store_n(&mallogram_client_found_, found, __ATOMIC_RELEASE);
  }
  return found == 1 ? NULL
                    : MALLOGRAM_CAST_(const struct mallogram_client_table*, found);
}

/* Whether the program is recorded. */
static inline int mallogram_is_recording(void) {
  return mallogram_client_() != NULL;
}

/* The program has reached a state of this name. `scale`: how large its input is, in
 * whatever unit; 0: nothing to say. */
static inline void mallogram_mark(const char* name, double scale) {
  const struct mallogram_client_table* table = mallogram_client_();
  uint64_t bits = 0;
  if (table == NULL) return;
  memcpy(&bits, &scale, sizeof(bits));
  table->mark(name, bits);
}

/* 0: done. Otherwise an errno value: ENOTSUP if the recording can't. */
static inline int mallogram_leak_check_now(void) {
  const struct mallogram_client_table* table = mallogram_client_();
  return table != NULL ? table->leak_check_now() : 0;
}

/* `block`: as the allocation function returned it. Reallocated, it stays ignored.
 */
static inline void mallogram_ignore(const void* block) {
  const struct mallogram_client_table* table = mallogram_client_();
  if (table != NULL) table->ignore(block);
}

static inline void mallogram_pause(void) {
  const struct mallogram_client_table* table = mallogram_client_();
  if (table != NULL) table->pause();
}

static inline void mallogram_resume(void) {
  const struct mallogram_client_table* table = mallogram_client_();
  if (table != NULL) table->resume();
}

/* A pool's number: never 0, but in programs that are not recorded. */
static inline uint32_t mallogram_pool_create(const char* name) {
  const struct mallogram_client_table* table = mallogram_client_();
  return table != NULL ? table->pool_create(name) : 0;
}

static inline void mallogram_pool_alloc(uint32_t pool, const void* block,
                                        size_t size) {
  const struct mallogram_client_table* table = mallogram_client_();
  if (table != NULL) table->pool_alloc(pool, block, size);
}

static inline void mallogram_pool_free(uint32_t pool, const void* block) {
  const struct mallogram_client_table* table = mallogram_client_();
  if (table != NULL) table->pool_free(pool, block);
}

/* All its blocks are free, and the number is used up. */
static inline void mallogram_pool_destroy(uint32_t pool) {
  const struct mallogram_client_table* table = mallogram_client_();
  if (table != NULL) table->pool_destroy(pool);
}

#if defined(__cplusplus)
} /* extern "C" */

namespace mallogram {

/* Nothing is recorded of this thread's allocations as long as it lives. */
class Pause {
 public:
  Pause() { mallogram_pause(); }
  ~Pause() { mallogram_resume(); }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
};

/* A pool that is destroyed with this object. */
class Pool {
 public:
  explicit Pool(const char* name) : number_(mallogram_pool_create(name)) {}
  ~Pool() { mallogram_pool_destroy(number_); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void Alloc(const void* block, size_t size) const {
    mallogram_pool_alloc(number_, block, size);
  }
  void Free(const void* block) const { mallogram_pool_free(number_, block); }

 private:
  uint32_t number_;
};

} /* namespace mallogram */
#endif

#undef MALLOGRAM_CAST_
#endif /* MALLOGRAM_H_ */
