#include "preload/collector/image_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "preload/collector/liveness.h"
#include "preload/ring.h"

namespace mallogram {
namespace {

constexpr uint64_t kMaxBaseBytes = uint64_t{1} << 34;
constexpr uint32_t kMaxRingWords = 1u << 28;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the program's image is damaged: ", what));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageView>> ImageView::Map(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 ||
      info.st_size < static_cast<off_t>(sizeof(ImageHeader))) {
    return Bad("too short");
  }
  std::unique_ptr<ImageView> view(new ImageView);
  view->file_bytes_ = static_cast<uint64_t>(info.st_size);
  view->inode_ = info.st_ino;
  // A program that truncated its own image would make us fault. Works only if the
  // library allowed sealing; a scribble never truncates.
  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);

  uint64_t base_bytes = 0;
  if (pread(fd, &base_bytes, sizeof(base_bytes),
            offsetof(ImageHeader, base_bytes)) != sizeof(base_bytes)) {
    return Bad("unreadable");
  }
  if (base_bytes < sizeof(ImageHeader) || base_bytes > view->file_bytes_ ||
      base_bytes > kMaxBaseBytes || base_bytes % kImagePage != 0) {
    // Of another version, perhaps, whose word this is not.
    base_bytes = (sizeof(ImageHeader) + kImagePage - 1) / kImagePage * kImagePage;
    if (base_bytes > view->file_bytes_) return Bad("cut");
  }
  view->fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  absl::StatusOr<void*> base = MapImage(fd, base_bytes);
  if (!base.ok()) return base.status();
  view->base_bytes_ = base_bytes;
  view->header_ = static_cast<ImageHeader*>(*base);
  if (absl::Status status = view->Check(); !status.ok()) return status;
  return view;
}

ImageView::~ImageView() {
  const auto unmap = [](const Chunk& chunk, uint64_t bytes) {
    if (chunk.own) munmap(chunk.memory, bytes);
  };
  for (int i = 0; i < kMaxRingChunks; ++i) unmap(rings_[i], geometry_.BytesOf(i));
  for (int i = 0; i < kMaxNodeChunks; ++i) {
    unmap(nodes_[i], sizeof(StackNode) * uint64_t{kNodeChunks.CountOf(i)});
  }
  for (int i = 0; i < kMaxModuleChunks; ++i) {
    unmap(modules_[i], sizeof(ModuleSlot) * uint64_t{kModuleChunks.CountOf(i)});
  }
  for (int i = 0; i < kMaxStringChunks; ++i) {
    unmap(strings_[i], kStringChunks.CountOf(i));
  }
  if (header_ != nullptr) UnmapImage(header_, base_bytes_);
  if (fd_ >= 0) close(fd_);
}

absl::Status ImageView::Check() {
  // One copy: what is checked is what is used. Not of the atomics behind it.
  constexpr size_t kFixedBytes = offsetof(ImageHeader, ring_count);
  alignas(ImageHeader) char copy[sizeof(ImageHeader)] = {};
  std::memcpy(copy, static_cast<const void*>(header_), kFixedBytes);
  const auto& h = *reinterpret_cast<const ImageHeader*>(copy);

  if (h.magic != kImageMagic) return Bad("no image");
  if (h.version != kImageVersion || h.header_bytes != sizeof(ImageHeader)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "libmallogram.so has image version ", h.version, ", this mallogram has ",
        kImageVersion, ": install both from one build"));
  }
  if (h.base_bytes != base_bytes_ || h.file_bytes > file_bytes_) return Bad("cut");
  for (const uint32_t words : {h.ring_words.first, h.ring_words.others}) {
    if (words < 2 * kMaxRecordWords || (words & (words - 1)) != 0 ||
        words > kMaxRingWords) {
      return Bad("ring size");
    }
  }
  if (h.max_rings == 0 || h.max_rings > kMaxRings) return Bad("ring count");
  if (h.max_modules > kMaxModules || h.strings_bytes > kMaxStringBytes ||
      h.max_nodes > kMaxNodes) {
    return Bad("table size");
  }
  geometry_ = h.ring_words;
  max_rings_ = h.max_rings;
  max_modules_ = h.max_modules;
  strings_bytes_ = h.strings_bytes;
  max_nodes_ = h.max_nodes;
  // What is there from the start must be there.
  StackNode node;
  if (!ReadNode(kFirstNode, &node) || ModuleAt(0) == nullptr ||
      !MapChunk(header_->ring_chunks.offset[0].load(), geometry_.BytesOf(0),
                &rings_[0])) {
    return Bad("geometry");
  }
  uint64_t rest = 0;
  if (Find(header_->string_chunks, &strings_, kStringChunks, 0, 1, &rest) ==
      nullptr) {
    return Bad("geometry");
  }
  mapped_rings_ = RingGeometry::CountOf(0);
  return absl::OkStatus();
}

// Chunks of the first piece are mapped already.
bool ImageView::MapChunk(uint64_t offset, uint64_t bytes, Chunk* chunk) const {
  if (chunk->memory != nullptr) return true;
  if (offset < sizeof(ImageHeader) || offset % kImagePage != 0 ||
      offset > file_bytes_ || bytes > file_bytes_ - offset) {
    return false;
  }
  if (offset < base_bytes_) {
    if (bytes > base_bytes_ - offset) return false;
    chunk->memory = reinterpret_cast<char*>(header_) + offset;
    return true;
  }
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_,
                            static_cast<off_t>(offset));
  if (memory == MAP_FAILED) return false;
  chunk->memory = static_cast<char*>(memory);
  chunk->own = true;
  return true;
}

template <size_t kMax>
char* ImageView::Find(const ChunkTable<kMax>& table,
                      std::array<Chunk, kMax>* chunks, Doubling shape, uint32_t i,
                      uint64_t size, uint64_t* rest) const {
  const int chunk = shape.ChunkOf(i);
  if (chunk >= static_cast<int>(kMax)) return nullptr;
  const uint64_t bytes = size * shape.CountOf(chunk);
  Chunk& found = (*chunks)[static_cast<size_t>(chunk)];
  if (found.memory == nullptr &&
      !MapChunk(table.offset[chunk].load(std::memory_order_acquire), bytes,
                &found)) {
    return nullptr;
  }
  const uint64_t at = size * (i - shape.FirstOf(chunk));
  *rest = bytes - at;
  return found.memory + at;
}

uint32_t ImageView::ring_count() const {
  const uint32_t count =
      std::min(header_->ring_count.load(std::memory_order_acquire), max_rings_);
  while (mapped_rings_ < count) {
    const int chunk = RingGeometry::ChunkOf(mapped_rings_);
    if (!MapChunk(
            header_->ring_chunks.offset[chunk].load(std::memory_order_acquire),
            geometry_.BytesOf(chunk), &rings_[static_cast<size_t>(chunk)])) {
      break;
    }
    mapped_rings_ += RingGeometry::CountOf(chunk);
  }
  return std::min(count, mapped_rings_);
}

uint64_t* ImageView::ring_data(uint32_t i) const {
  const int chunk = RingGeometry::ChunkOf(i);
  return reinterpret_cast<uint64_t*>(rings_[static_cast<size_t>(chunk)].memory +
                                     RingGeometry::SlotBytes(chunk)) +
         uint64_t{i - RingGeometry::FirstOf(chunk)} * geometry_.WordsOf(chunk);
}

char* ImageView::NodeMemory(uint32_t id, uint64_t* count) const {
  uint64_t rest = 0;
  char* const memory = id >= max_nodes_
                           ? nullptr
                           : Find(header_->node_chunks, &nodes_, kNodeChunks, id,
                                  sizeof(StackNode), &rest);
  *count = rest / sizeof(StackNode);
  return memory;
}

bool ImageView::ReadNode(uint32_t id, StackNode* node) const {
  uint64_t count = 0;
  const char* const memory = id < kFirstNode ? nullptr : NodeMemory(id, &count);
  if (memory == nullptr) return false;
  std::memcpy(node, memory, sizeof(*node));
  return true;
}

const ModuleSlot* ImageView::ModuleAt(uint32_t index) const {
  uint64_t rest = 0;
  return index >= max_modules_
             ? nullptr
             : reinterpret_cast<const ModuleSlot*>(
                   Find(header_->module_chunks, &modules_, kModuleChunks, index,
                        sizeof(ModuleSlot), &rest));
}

bool ImageView::ReadModule(uint32_t index, ModuleFacts* facts) const {
  const ModuleSlot* const slot = ModuleAt(index);
  if (slot == nullptr ||
      slot->state.load(std::memory_order_acquire) != ModuleSlot::kReady) {
    return false;
  }
  facts->path = ReadString(slot->path_offset);
  const size_t id_bytes =
      std::min<size_t>(slot->build_id_bytes, sizeof(slot->build_id));
  facts->build_id.assign(reinterpret_cast<const char*>(slot->build_id), id_bytes);
  facts->bias = slot->bias;
  facts->start = slot->start;
  facts->end = slot->end;
  facts->load_tsc = slot->load_tsc;
  return true;
}

uint64_t ImageView::UnloadStamp(uint32_t index) const {
  const ModuleSlot* const slot = ModuleAt(index);
  return slot == nullptr ? 0 : slot->unload_tsc.load(std::memory_order_relaxed);
}

bool ImageView::AreKindsUnsure(uint32_t stack) const {
  StackNode node;
  const ModuleSlot* const module =
      ReadNode(stack, &node) ? ModuleAt(node.module) : nullptr;
  return module != nullptr && module->kinds_unsure != 0;
}

std::string ImageView::ReadString(uint32_t offset) const {
  uint64_t rest = 0;
  const char* const text = offset >= strings_bytes_
                               ? nullptr
                               : Find(header_->string_chunks, &strings_,
                                      kStringChunks, offset, 1, &rest);
  return text == nullptr ? "" : std::string(text, strnlen(text, rest));
}

std::string ImageView::ReadBytes(uint32_t offset, uint32_t bytes) const {
  uint64_t rest = 0;
  const char* const text = offset >= strings_bytes_
                               ? nullptr
                               : Find(header_->string_chunks, &strings_,
                                      kStringChunks, offset, 1, &rest);
  return text == nullptr || bytes > rest ? "" : std::string(text, bytes);
}

uint64_t ImageView::TouchedBytes() const {
  struct stat info {};
  if (fd_ < 0 || fstat(fd_, &info) != 0) return 0;
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace mallogram
