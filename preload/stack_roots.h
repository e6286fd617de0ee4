// How a call stack ends: the parents of outermost frames, the same in the shared
// image and in files.
#pragma once

#include <cstdint>

namespace mallogram {

inline constexpr uint32_t kRootComplete = 0;  // the outermost frame was reached
inline constexpr uint32_t kRootCut = 1;       // cut by --max-depth
inline constexpr uint32_t kRootStopped = 2;   // no unwind information further out
inline constexpr uint32_t kRootUnknown = 3;   // node table full: no stack kept

}  // namespace mallogram
