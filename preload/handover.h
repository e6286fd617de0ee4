// From nothing to a shared image in the collector's hands: the options, the
// memfd, the message, and a collector of our own where nobody listens.
//
// Runs once per process, inside its first allocation: raw system calls only.
// Leaves no descriptor open in the program.
#pragma once

#include <cstdint>

#include "preload/image.h"

namespace mallogram {

struct Options {
  bool enabled;
  OnFull on_full;
  uint32_t max_depth;  // 0: unlimited
  uint32_t ring_words;
  uint64_t sample_interval;  // 0: no sampling
  uint64_t sample_seed;      // 0: another one every time
  bool verify;
  LeakCheckMode leak_check;
  bool mismatches;
  char socket_path[108];  // empty: start a collector (bare LD_PRELOAD)
};

// The process's own mapping of the image.
struct Image {
  int fd;  // closed by HandOver
  ImageHeader* header;
  RingSlot* rings;
  ModuleSlot* modules;
  char* strings;
  StackNode* nodes;
  uint64_t* data;

  uint64_t* ring_data(uint32_t index) const {
    return data + header->ring_words.Start(index);
  }
};

// Launch variables, read once and remembered: a child of fork must not read an
// environment that another thread was just changing.
const Options& ReadOptions();

// A fresh image for this process. False: no memory, no descriptor, or limits too
// tight for even the smallest geometry; the process then runs unrecorded.
bool CreateImage(const Options& options, Image* image);

// Sends the image to the collector and closes the descriptor. Never waits for an
// answer. False: nobody there.
bool HandOver(const Options& options, const Image& image);

}  // namespace mallogram
