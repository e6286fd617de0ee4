// The process's own side of the image: the one owner of its mappings and of every
// pointer into them.
//
// An image is there from Create to Drop. Whoever uses it asks for it each time
// (recorder.h: IsRecorded, OwnImage), and nobody keeps a pointer of his own but
// what Drop clears: a process whose image could not be handed over, or a forked
// child, which inherits nothing of its parent's but the header page, must find
// nothing that leads into memory that is not there.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/image.h"
#include "preload/image_tables.h"
#include "preload/options.h"

namespace mallogram {

class SharedImage : public ImageTables {
 public:
  // A fresh image for this process. False: no memory, no descriptor, or limits too
  // tight for even the smallest geometry; the process then runs unrecorded.
  bool Create(const Options& options);
  // No image from here on; the mappings are taken away. REQUIRES: of this process,
  // which no other thread is recorded in.
  void Drop();
  // A forked child: its parent's image is not its own, and is not mapped but for
  // the header.
  void Forget();
  // The header that children without an image of their own count themselves in:
  // this process's, or the one that it inherited. nullptr: there is none.
  ImageHeader* family() const { return header != nullptr ? header : inherited_; }
  // This process is recorded now: the inherited header is no use any more.
  void DropInherited();

  // Until CloseFile: for the message to the collector.
  int file() const { return file_; }
  void CloseFile();

  RingSlot* ring(uint32_t i) const {
    const int chunk = RingGeometry::ChunkOf(i);
    return rings_[chunk].load(std::memory_order_acquire) + i -
           RingGeometry::FirstOf(chunk);
  }
  uint64_t* ring_data(uint32_t i) const;
  // Maps that chunk of rings if it is not there. False: it can't be now.
  bool MakeRings(int chunk);

  // The next chunk of a table. False: it can't be made now.
  bool GrowNodes(uint32_t id);
  bool GrowModules(uint32_t index);
  bool GrowStrings(uint32_t offset);

 private:
  bool Map(const Options& options, RingGeometry geometry);
  void PlaceBase();
  template <typename T, size_t kMax>
  bool Grow(Chunks<T, kMax>* chunks, ChunkTable<kMax>* table, uint32_t element);
  // Maps a chunk of `bytes` if it is not there: has(), set(memory).
  template <typename Has, typename Set>
  bool MakeChunk(std::atomic<uint64_t>* place, uint64_t bytes, Has has, Set set);
  bool MapNext(uint64_t bytes, char** memory, uint64_t* offset);
  bool Lock();
  void Unlock() { growing_.store(0, std::memory_order_release); }

  int file_ = -1;
  ImageHeader* inherited_ = nullptr;
  uint64_t file_used_ = 0;            // up to where chunks lie in the file
  char* last_page_ = nullptr;         // mapping of the page before file_used_
  std::atomic<uint64_t> growing_{0};  // the thread that makes a chunk
  std::atomic<RingSlot*> rings_[kMaxRingChunks] = {};
};

[[gnu::visibility("hidden")]] extern SharedImage g_image;

}  // namespace mallogram
