#include "preload/collector/image_view.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "preload/collector/liveness.h"
#include "preload/ring.h"

namespace mallogram {
namespace {

constexpr uint64_t kMaxImageBytes = uint64_t{1} << 44;
constexpr uint32_t kMaxRings = 1u << 20;

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
  const auto bytes = static_cast<uint64_t>(info.st_size);
  if (bytes > kMaxImageBytes) return Bad("too large");
  // A program that truncated its own image would make us fault. Works only if the
  // library allowed sealing; a scribble never truncates.
  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);

  std::unique_ptr<ImageView> view(new ImageView);
  view->fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  absl::StatusOr<void*> base = MapImage(fd, bytes);
  if (!base.ok()) return base.status();
  view->bytes_ = bytes;
  view->header_ = static_cast<ImageHeader*>(*base);
  if (absl::Status status = view->Check(bytes); !status.ok()) return status;
  return view;
}

ImageView::~ImageView() {
  if (header_ != nullptr) UnmapImage(header_, bytes_);
  if (fd_ >= 0) close(fd_);
}

absl::Status ImageView::Check(uint64_t file_bytes) {
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
  if (h.image_bytes > file_bytes) return Bad("cut");
  for (const uint32_t words : {h.ring_words.first, h.ring_words.others}) {
    if (words < 2 * kMaxRecordWords || (words & (words - 1)) != 0) {
      return Bad("ring size");
    }
  }
  if (h.max_rings == 0 || h.max_rings > kMaxRings) return Bad("ring count");

  const auto fits = [&](uint64_t offset, uint64_t count, uint64_t element) {
    // count * element < 2^64: both are small by type or by the checks above.
    return offset % 64 == 0 && offset >= sizeof(ImageHeader) &&
           offset <= file_bytes && count * element <= file_bytes - offset;
  };
  if (!fits(h.rings_offset, h.max_rings, sizeof(RingSlot)) ||
      !fits(h.modules_offset, h.max_modules, sizeof(ModuleSlot)) ||
      !fits(h.strings_offset, h.strings_bytes, 1) ||
      !fits(h.nodes_offset, h.max_nodes, sizeof(StackNode)) ||
      !fits(h.ring_data_offset, 1, 8 * h.ring_words.Start(h.max_rings))) {
    return Bad("geometry");
  }
  char* const base = reinterpret_cast<char*>(header_);
  rings_ = reinterpret_cast<RingSlot*>(base + h.rings_offset);
  modules_ = reinterpret_cast<ModuleSlot*>(base + h.modules_offset);
  strings_ = base + h.strings_offset;
  nodes_ = reinterpret_cast<const StackNode*>(base + h.nodes_offset);
  ring_data_ = reinterpret_cast<uint64_t*>(base + h.ring_data_offset);
  max_rings_ = h.max_rings;
  geometry_ = h.ring_words;
  max_modules_ = h.max_modules;
  strings_bytes_ = h.strings_bytes;
  nodes_offset_ = h.nodes_offset;
  max_nodes_ = h.max_nodes;
  return absl::OkStatus();
}

uint32_t ImageView::ring_count() const {
  return std::min(header_->ring_count.load(std::memory_order_acquire), max_rings_);
}

bool ImageView::ReadNode(uint32_t id, StackNode* node) const {
  if (id < kFirstNode || id >= max_nodes_) return false;
  *node = nodes_[id];
  return true;
}

bool ImageView::ReadModule(uint32_t index, ModuleFacts* facts) const {
  if (index >= max_modules_) return false;
  const ModuleSlot& slot = modules_[index];
  if (slot.state.load(std::memory_order_acquire) != ModuleSlot::kReady)
    return false;
  facts->path = ReadString(slot.path_offset);
  const size_t id_bytes =
      std::min<size_t>(slot.build_id_bytes, sizeof(slot.build_id));
  facts->build_id.assign(reinterpret_cast<const char*>(slot.build_id), id_bytes);
  facts->bias = slot.bias;
  facts->start = slot.start;
  facts->end = slot.end;
  facts->load_tsc = slot.load_tsc;
  return true;
}

uint64_t ImageView::UnloadStamp(uint32_t index) const {
  if (index >= max_modules_) return 0;
  return modules_[index].unload_tsc.load(std::memory_order_relaxed);
}

bool ImageView::AreKindsUnsure(uint32_t stack) const {
  StackNode node;
  if (!ReadNode(stack, &node) || node.module >= max_modules_) return false;
  return modules_[node.module].kinds_unsure != 0;
}

std::string ImageView::ReadString(uint32_t offset) const {
  if (offset >= strings_bytes_) return "";
  return std::string(strings_ + offset,
                     strnlen(strings_ + offset, strings_bytes_ - offset));
}

std::string ImageView::ReadBytes(uint32_t offset, uint32_t bytes) const {
  if (offset >= strings_bytes_ || bytes > strings_bytes_ - offset) return "";
  return std::string(strings_ + offset, bytes);
}

uint64_t ImageView::TouchedBytes() const {
  struct stat info {};
  if (fd_ < 0 || fstat(fd_, &info) != 0) return 0;
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace mallogram
