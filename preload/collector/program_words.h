// What a recording has to say in words: of the program, by itself, and of what was
// wrong with what it wrote.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "preload/image.h"

namespace mallogram {

// Empty: nothing. Texts of the program's are made printable.
std::string WordsOf(const ImageHeader& header, uint32_t damaged_rings);

// Processes that were started without the library, by Unrecordable.
using UnrecordedCounts = std::array<uint64_t, kUnrecordables>;
// Adds those of one image to `counts`; returns how many there were.
uint64_t CountUnrecorded(const ImageHeader& header, UnrecordedCounts* counts);
// "2 processes were not recorded: 1 statically linked, …"; empty: none.
std::string WordsOfUnrecorded(const UnrecordedCounts& counts);

}  // namespace mallogram
