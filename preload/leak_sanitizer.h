// Whether the program looks for leaks by itself: LeakSanitizer is in it, by its own
// option or AddressSanitizer's. It stops the process by ptrace at its end, takes
// whoever traces it for a debugger, and gives up; and what it finds, we need not.
#pragma once

// In the executable or in a library that was loaded with it; resolved by the
// loader.
extern "C" void __lsan_do_leak_check() __attribute__((weak));

namespace mallogram {

inline bool HasLeakSanitizer() { return __lsan_do_leak_check != nullptr; }

}  // namespace mallogram
