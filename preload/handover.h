// From a fresh image to one in the collector's hands: the message, and a collector
// of our own where nobody listens.
//
// Runs once per process, inside its first allocation: raw system calls only.
// Leaves no descriptor open in the program.
#pragma once

#include "preload/options.h"
#include "preload/shared_image.h"

namespace mallogram {

// Sends the image to the collector. Never waits for an answer. False: nobody there.
bool HandOver(const Options& options, const SharedImage& image);

}  // namespace mallogram
