// A traced process's image without the process: an in-memory file laid out as the
// library lays it out, mapped here, with rings to write to.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "preload/clock.h"
#include "preload/image.h"
#include "tests/collector/rings.h"

namespace mallogram {

class TestImage {
 public:
  explicit TestImage(uint32_t rings = 8, uint32_t ring_words = 4096,
                     uint32_t max_nodes = 4096) {
    const auto page = [](uint64_t bytes) {
      return (bytes + kImagePage - 1) / kImagePage * kImagePage;
    };
    ImageHeader h{};
    h.magic = kImageMagic;
    h.version = kImageVersion;
    h.header_bytes = sizeof(ImageHeader);
    h.max_rings = rings;
    h.ring_words = {ring_words, ring_words};
    h.max_modules = 16;
    h.strings_bytes = kImagePage;
    h.max_nodes = max_nodes;
    // Chunk after chunk, as many as it takes.
    uint64_t at = page(sizeof(ImageHeader));
    const auto place = [&](uint64_t bytes) {
      const uint64_t offset = at;
      at += page(bytes);
      return offset;
    };
    modules_at_ = place(sizeof(ModuleSlot) * kModuleChunks.CountOf(0));
    strings_at_ = place(kStringChunks.CountOf(0));
    nodes_at_ = place(sizeof(StackNode) * kNodeChunks.CountOf(0));
    const int last = RingGeometry::ChunkOf(rings - 1);
    for (int chunk = 0; chunk <= last; ++chunk) {
      ring_chunks_.push_back(place(h.ring_words.BytesOf(chunk)));
    }
    h.base_bytes = h.file_bytes = at;
    h.pid = getpid();
    h.start_tsc = ReadStamp(true);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    h.start_monotonic_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
                           static_cast<uint64_t>(now.tv_nsec);
    h.start_realtime_ns = 1;
    h.tsc_is_clock = 1;
    h.node_count = kFirstNode;

    fd_ = memfd_create("test-image", MFD_CLOEXEC);
    bytes_ = h.file_bytes;
    if (ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) abort();
    base_ = static_cast<char*>(
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
    std::memcpy(base_, &h, offsetof(ImageHeader, ring_count));
    header()->node_count = kFirstNode;
    header()->module_chunks.offset[0] = modules_at_;
    header()->string_chunks.offset[0] = strings_at_;
    header()->node_chunks.offset[0] = nodes_at_;
    for (size_t i = 0; i < ring_chunks_.size(); ++i) {
      header()->ring_chunks.offset[i] = ring_chunks_[i];
    }
    writers_.resize(rings);
  }
  ~TestImage() {
    munmap(base_, bytes_);
    close(fd_);
  }
  TestImage(const TestImage&) = delete;
  TestImage& operator=(const TestImage&) = delete;

  int DupFd() const { return dup(fd_); }
  char* base() { return base_; }
  uint64_t bytes() const { return bytes_; }
  ImageHeader* header() { return reinterpret_cast<ImageHeader*>(base_); }
  RingSlot* slot(uint32_t i) {
    const int chunk = RingGeometry::ChunkOf(i);
    return reinterpret_cast<RingSlot*>(base_ + ring_chunks_.at(chunk)) +
           (i - RingGeometry::FirstOf(chunk));
  }
  StackNode* nodes() { return reinterpret_cast<StackNode*>(base_ + nodes_at_); }
  ModuleSlot* modules() {
    return reinterpret_cast<ModuleSlot*>(base_ + modules_at_);
  }

  // As a thread that registers: the next ring is its own.
  RecordWriter& OpenRing(int tid, uint64_t stamp) {
    const uint32_t i = header()->ring_count.load();
    writers_[i].Attach(slot(i), ring_data(i), header()->ring_words.Words(i));
    slot(i)->tid.store(tid);
    slot(i)->state.store(RingSlot::kOwned);
    header()->ring_count.store(i + 1, std::memory_order_release);
    writers_[i].Thread(tid, stamp);
    writers_[i].Publish();
    return writers_[i];
  }
  uint64_t* ring_data(uint32_t i) {
    const int chunk = RingGeometry::ChunkOf(i);
    return reinterpret_cast<uint64_t*>(base_ + ring_chunks_.at(chunk) +
                                       RingGeometry::SlotBytes(chunk)) +
           uint64_t{i - RingGeometry::FirstOf(chunk)} *
               header()->ring_words.WordsOf(chunk);
  }

  uint32_t AddModule(const std::string& path, uint64_t bias) {
    const uint32_t i = header()->module_count.fetch_add(1);
    const uint32_t at = header()->strings_used.fetch_add(path.size() + 1);
    std::memcpy(base_ + strings_at_ + at, path.c_str(), path.size() + 1);
    ModuleSlot& module = modules()[i];
    module.path_offset = at;
    module.bias = bias;
    module.start = bias;
    module.end = bias + 0x10000;
    module.build_id_bytes = 3;
    std::memcpy(module.build_id, "\1\2\3", 3);
    module.load_tsc = ReadStamp(true);
    module.state.store(ModuleSlot::kReady);
    return i;
  }
  uint32_t AddNode(uint32_t parent, uint64_t pc, uint32_t module) {
    const uint32_t id = header()->node_count.fetch_add(1);
    nodes()[id] = {pc, parent, module};
    return id;
  }

 private:
  int fd_ = -1;
  uint64_t bytes_ = 0;
  char* base_ = nullptr;
  uint64_t modules_at_ = 0, strings_at_ = 0, nodes_at_ = 0;  // in the file
  std::vector<uint64_t> ring_chunks_;
  std::vector<RecordWriter> writers_;
};

}  // namespace mallogram
