// Who the process is, in its own words: a short-lived one is gone before anybody
// can look into its /proc.
#pragma once

#include <cstdint>

#include "preload/image.h"

namespace mallogram {

// Writes executable, directory and arguments to the beginning of `strings`: `bytes`
// bytes, all zero. Returns how many of them are used. Four or five system calls.
uint32_t DescribeProcess(ImageHeader* header, char* strings, uint32_t bytes);

}  // namespace mallogram
