// Who the process is, in its own words: a short-lived one is gone before anybody
// can look into its /proc.
#pragma once

#include <cstdint>

#include "preload/image.h"

namespace mallogram {

// Executable, directory and arguments as the first of the strings, of which there
// are `bytes`, all zero; returns how much of them is used. Four or five system
// calls.
uint32_t DescribeProcess(ImageHeader* header, char* strings, uint32_t bytes);

}  // namespace mallogram
