// What a recording has to say in words: of the program, by itself, and of what was
// wrong with what it wrote.
#pragma once

#include <cstdint>
#include <string>

#include "preload/image.h"

namespace mallogram {

// Empty: nothing. Texts of the program's are made printable.
std::string WordsOf(const ImageHeader& header, uint32_t damaged_rings);

}  // namespace mallogram
