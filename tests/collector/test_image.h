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
    h.rings_offset = page(sizeof(ImageHeader));
    h.modules_offset = h.rings_offset + page(sizeof(RingSlot) * rings);
    h.strings_offset = h.modules_offset + page(sizeof(ModuleSlot) * h.max_modules);
    h.nodes_offset = h.strings_offset + h.strings_bytes;
    h.ring_data_offset = h.nodes_offset + page(sizeof(StackNode) * max_nodes);
    h.image_bytes = h.ring_data_offset + page(uint64_t{ring_words} * 8 * rings);
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
    bytes_ = h.image_bytes;
    if (ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) abort();
    base_ = static_cast<char*>(
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
    std::memcpy(base_, &h, offsetof(ImageHeader, ring_count));
    header()->node_count = kFirstNode;
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
    return reinterpret_cast<RingSlot*>(base_ + header()->rings_offset) + i;
  }
  StackNode* nodes() {
    return reinterpret_cast<StackNode*>(base_ + header()->nodes_offset);
  }
  ModuleSlot* modules() {
    return reinterpret_cast<ModuleSlot*>(base_ + header()->modules_offset);
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
    return reinterpret_cast<uint64_t*>(base_ + header()->ring_data_offset) +
           header()->ring_words.Start(i);
  }

  uint32_t AddModule(const std::string& path, uint64_t bias) {
    const uint32_t i = header()->module_count.fetch_add(1);
    const uint32_t at = header()->strings_used.fetch_add(path.size() + 1);
    std::memcpy(base_ + header()->strings_offset + at, path.c_str(),
                path.size() + 1);
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
  std::vector<RecordWriter> writers_;
};

}  // namespace mallogram
