// Whether the call that a return address belongs to names this library's function.
// A function that ends in a jump to `free` (clang's, whose operator delete is no
// more than that) leaves its own caller's address: that one never called free.
#pragma once

#include <cstdint>

#include "preload/loaded.h"

namespace mallogram {

// Where the call before `return_address` went: a direct one through the procedure
// linkage table's entry, if it goes there, or one through the global offset table.
// 0: a call through a pointer. Instructions: Intel SDM vol. 2, CALL and JMP.
inline uint64_t CallTarget(uint64_t return_address) {
  const auto* const code = reinterpret_cast<const uint8_t*>(return_address);
  const auto relative = [](const uint8_t* end) {
    int32_t distance;
    __builtin_memcpy(&distance, end - sizeof(distance), sizeof(distance));
    return reinterpret_cast<uint64_t>(end) +
           static_cast<uint64_t>(int64_t{distance});
  };
  const auto slot = [&](const uint8_t* end) {
    return *reinterpret_cast<const uint64_t*>(relative(end));
  };
  if (code[-6] == 0xff && code[-5] == 0x15) return slot(code);  // call *slot(%rip)
  if (code[-5] != 0xe8) return 0;
  const uint64_t target = relative(code);
  const auto* entry = reinterpret_cast<const uint8_t*>(target);
  constexpr uint8_t kEndbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
  if (__builtin_memcmp(entry, kEndbr64, sizeof(kEndbr64)) == 0) entry += 4;
  if (entry[0] == 0xf2) ++entry;  // bnd
  if (entry[0] == 0xff && entry[1] == 0x25)
    return slot(entry + 6);  // jmp *slot(%rip)
  return target;
}

inline bool IsCallToUs(uint64_t return_address) {
  return IsInLibrary(CallTarget(return_address));
}

}  // namespace mallogram
