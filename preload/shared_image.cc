#include "preload/shared_image.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/resource.h>

#include <type_traits>

#include "preload/clock.h"
#include "preload/describe_process.h"
#include "preload/loaded.h"
#include "preload/may_call.h"
#include "preload/sys.h"
#include "preload/thread_id.h"

namespace mallogram {

constinit SharedImage g_image;

namespace {

// Words of rings. The smaller ones are for processes under RLIMIT_AS or
// RLIMIT_FSIZE, whose allowance is not ours to spend: with those of the second line
// a hundred threads take 4 MiB of addresses, with the first 19.
constexpr RingGeometry kGeometries[] = {
    {1 << 17, 1 << 14}, {1 << 15, 1 << 11}, {1 << 13, 1 << 11}, {1 << 11, 1 << 11}};
// Of the address space that RLIMIT_AS grants, the first pieces take at most 1/16.
constexpr uint64_t kAddressSpaceShare = 16;
// What all chunks together may come to: 1 GiB of nodes, 2 GiB of rings, the rest.
constexpr uint64_t kFileBytes = uint64_t{4} << 30;

uint64_t Limit(int resource) {
  rlimit64 limit{};
  if (sys::Call(SYS_prlimit64, 0, resource, 0, sys::Arg(&limit)) != 0) {
    return RLIM64_INFINITY;
  }
  return limit.rlim_cur;
}

constexpr uint64_t RoundUp(uint64_t bytes) {
  return (bytes + kImagePage - 1) & ~(kImagePage - 1);
}

template <typename T>
constexpr uint64_t FirstBytes(Doubling shape) {
  return RoundUp(sizeof(T) * shape.CountOf(0));
}

constexpr uint64_t kModulesOffset = kHeaderBytes;
constexpr uint64_t kStringsOffset =
    kModulesOffset + FirstBytes<ModuleSlot>(kModuleChunks);
constexpr uint64_t kNodesOffset = kStringsOffset + FirstBytes<char>(kStringChunks);
constexpr uint64_t kRingsOffset = kNodesOffset + FirstBytes<StackNode>(kNodeChunks);

uint64_t BaseBytes(const RingGeometry& geometry) {
  return kRingsOffset + geometry.BytesOf(0) + geometry.BytesOf(1);
}

int OpenMemory() {
  long fd = sys::Call(SYS_memfd_create, sys::Arg("mallogram"), MFD_CLOEXEC);
  if (!sys::IsError(fd)) return static_cast<int>(fd);
  // Kernels and sandboxes without memfd_create: a nameless file in memory.
  fd = sys::Call(SYS_openat, AT_FDCWD, sys::Arg("/dev/shm"),
                 O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  return sys::IsError(fd) ? -1 : static_cast<int>(fd);
}

}  // namespace

bool SharedImage::Map(const Options& options, RingGeometry geometry) {
  const uint64_t file_limit = Limit(RLIMIT_FSIZE);
  const uint64_t address_space = Limit(RLIMIT_AS);
  const bool roomy = geometry.first == kGeometries[0].first;
  if (options.ring_words != 0) {
    geometry = {options.ring_words, options.ring_words};
  }
  const uint64_t bytes = BaseBytes(geometry);
  // ftruncate beyond the limit would raise SIGXFSZ.
  if (bytes > file_limit) return false;
  if (address_space != RLIM64_INFINITY &&
      (roomy || bytes > address_space / kAddressSpaceShare)) {
    return false;
  }
  const uint64_t file_bytes = kFileBytes < file_limit ? kFileBytes : file_limit;
  if (sys::IsError(
          sys::Call(SYS_ftruncate, file_, static_cast<long>(file_bytes))) &&
      sys::IsError(sys::Call(SYS_ftruncate, file_, static_cast<long>(bytes)))) {
    return false;
  }
  const long p =
      sys::Call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_NORESERVE, file_, 0);
  if (sys::IsError(p)) return false;
  // A forked child must not see its parent's rings, but for the header, in which it
  // may say that it is not recorded; a core dump needs neither.
  sys::Call(SYS_madvise, p + static_cast<long>(kModulesOffset),
            static_cast<long>(bytes - kModulesOffset), MADV_DONTFORK);
  sys::Call(SYS_madvise, p, static_cast<long>(bytes), MADV_DONTDUMP);
  header = reinterpret_cast<ImageHeader*>(p);
  header->base_bytes = bytes;
  header->file_bytes = file_bytes;
  header->ring_words = geometry;
  return true;
}

// The chunks that lie in the first piece.
void SharedImage::PlaceBase() {
  ImageHeader* const h = header;
  char* const base = reinterpret_cast<char*>(h);
  const auto place = [&](auto* chunks, auto* table, uint64_t offset) {
    chunks->Clear();
    using T = std::remove_reference_t<decltype((*chunks)[0])>;
    chunks->Set(0, reinterpret_cast<T*>(base + offset));
    table->offset[0].store(offset, std::memory_order_release);
  };
  place(&modules, &h->module_chunks, kModulesOffset);
  place(&strings, &h->string_chunks, kStringsOffset);
  place(&nodes, &h->node_chunks, kNodesOffset);
  uint64_t at = kRingsOffset;
  for (int chunk = 0; chunk < kMaxRingChunks; ++chunk) {
    if (chunk > 1) {
      rings_[chunk].store(nullptr, std::memory_order_relaxed);
      continue;
    }
    rings_[chunk].store(reinterpret_cast<RingSlot*>(base + at),
                        std::memory_order_release);
    h->ring_chunks.offset[chunk].store(at, std::memory_order_release);
    at += h->ring_words.BytesOf(chunk);
  }
  file_used_ = h->base_bytes;
  last_page_ = base + h->base_bytes - kImagePage;
}

bool SharedImage::Create(const Options& options) {
  growing_.store(0, std::memory_order_relaxed);
  file_ = OpenMemory();
  if (file_ < 0) return false;
  bool mapped = false;
  for (const RingGeometry& geometry : kGeometries) {
    mapped = Map(options, geometry);
    if (mapped) break;
  }
  if (!mapped) {
    CloseFile();
    return false;
  }
  ImageHeader* const h = header;
  h->version = kImageVersion;
  h->header_bytes = sizeof(ImageHeader);
  h->max_rings = kMaxRings;
  h->max_nodes = kMaxNodes;
  h->max_modules = kMaxModules;
  h->strings_bytes = kMaxStringBytes;
  h->pid = sys::GetPid();
  h->ppid = static_cast<int>(sys::Call(SYS_getppid));
  h->tsc_is_clock = TscIsInvariant() ? 1 : 0;
  h->start_realtime_ns = sys::ClockNs(CLOCK_REALTIME);
  h->start_monotonic_ns = sys::ClockNs(CLOCK_MONOTONIC);
  h->start_tsc = ReadStamp(h->tsc_is_clock != 0);
  h->max_depth = options.max_depth;
  h->on_full = options.on_full;
  h->verify = options.verify ? 1 : 0;
  h->sample_interval = options.sample_interval;
  h->library_start = LibraryStart();
  h->library_end = LibraryEnd();
  h->own_ranges = reinterpret_cast<uint64_t>(&sys::own_ranges);
  h->own_ranges_max = sys::kMaxOwnRanges;
  h->leak_check = options.leak_check;
  h->node_count.store(kFirstNode, std::memory_order_relaxed);
  h->magic = kImageMagic;
  PlaceBase();
  g_filter_found.store(&h->filtered, std::memory_order_relaxed);
  h->strings_used.store(DescribeProcess(h, &strings[0], kStringChunks.CountOf(0)),
                        std::memory_order_relaxed);
  return true;
}

void SharedImage::CloseFile() {
  if (file_ >= 0) sys::Call(SYS_close, file_);
  file_ = -1;
}

void SharedImage::Forget() {
  CloseFile();
  // What a parent's collector has found holds for its child.
  if (!MayCall()) g_filter_seen.store(true, std::memory_order_relaxed);
  g_filter_found.store(nullptr, std::memory_order_relaxed);
  if (header != nullptr) inherited_ = header;
  header = nullptr;
  nodes.Clear();
  modules.Clear();
  strings.Clear();
  for (std::atomic<RingSlot*>& chunk : rings_) {
    chunk.store(nullptr, std::memory_order_relaxed);
  }
  last_page_ = nullptr;
}

// Only an image that was never used is dropped: it has no chunks but the first.
void SharedImage::Drop() {
  ImageHeader* const h = header;
  ImageHeader* const inherited = inherited_;
  Forget();
  inherited_ = inherited;
  if (h == nullptr) return;
  sys::Call(SYS_munmap, sys::Arg(h), static_cast<long>(h->base_bytes));
}

void SharedImage::DropInherited() {
  if (inherited_ == nullptr) return;
  sys::Call(SYS_munmap, sys::Arg(inherited_), kHeaderBytes);
  inherited_ = nullptr;
}

uint64_t* SharedImage::ring_data(uint32_t i) const {
  const int chunk = RingGeometry::ChunkOf(i);
  char* const begin =
      reinterpret_cast<char*>(rings_[chunk].load(std::memory_order_acquire));
  return reinterpret_cast<uint64_t*>(begin + RingGeometry::SlotBytes(chunk)) +
         uint64_t{i - RingGeometry::FirstOf(chunk)} *
             header->ring_words.WordsOf(chunk);
}

// One thread makes a chunk at a time. A signal handler that interrupts it does
// without, another thread waits: the other one is in a system call or about to
// leave.
bool SharedImage::Lock() {
  constexpr int kMostLooks = 1 << 24;
  const uint64_t self = ThreadPointer();
  for (int i = 0; i < kMostLooks; ++i) {
    uint64_t owner = 0;
    if (growing_.compare_exchange_weak(owner, self, std::memory_order_acquire)) {
      return true;
    }
    if (owner == self) return false;
    __builtin_ia32_pause();
  }
  return false;
}

// The next `bytes` of the file, without its descriptor, which was closed long ago:
// a shared mapping can be mapped once more and larger (mremap of no bytes), so the
// last page that is mapped brings what follows it. REQUIRES: Lock().
bool SharedImage::MapNext(uint64_t bytes, char** memory, uint64_t* offset) {
  if (bytes > header->file_bytes - file_used_) return false;
  const long p = sys::Call(SYS_mremap, sys::Arg(last_page_), 0,
                           static_cast<long>(kImagePage + bytes), MREMAP_MAYMOVE);
  if (sys::IsError(p)) return false;
  sys::Call(SYS_munmap, p, kImagePage);
  *memory = reinterpret_cast<char*>(p) + kImagePage;
  *offset = file_used_;
  last_page_ = *memory + bytes - kImagePage;
  file_used_ += bytes;
  return true;
}

template <typename Has, typename Set>
bool SharedImage::MakeChunk(std::atomic<uint64_t>* place, uint64_t bytes, Has has,
                            Set set) {
  if (has()) return true;
  if (!MayCall() || !Lock()) return false;
  bool made = has();
  char* memory = nullptr;
  uint64_t offset = 0;
  if (!made && MapNext(bytes, &memory, &offset)) {
    // The collector may meet a number of this chunk as soon as we hand one out.
    place->store(offset, std::memory_order_release);
    set(memory);
    made = true;
  }
  Unlock();
  return made;
}

template <typename T, size_t kMax>
bool SharedImage::Grow(Chunks<T, kMax>* chunks, ChunkTable<kMax>* table,
                       uint32_t element) {
  const int chunk = chunks->shape().ChunkOf(element);
  if (chunk >= static_cast<int>(kMax)) return false;
  return MakeChunk(
      &table->offset[chunk],
      RoundUp(sizeof(T) * uint64_t{chunks->shape().CountOf(chunk)}),
      [=] { return chunks->Has(element); },
      [=](char* memory) { chunks->Set(chunk, reinterpret_cast<T*>(memory)); });
}

bool SharedImage::GrowNodes(uint32_t id) {
  return Grow(&nodes, &header->node_chunks, id);
}
bool SharedImage::GrowModules(uint32_t index) {
  return Grow(&modules, &header->module_chunks, index);
}
bool SharedImage::GrowStrings(uint32_t offset) {
  return Grow(&strings, &header->string_chunks, offset);
}

bool SharedImage::MakeRings(int chunk) {
  if (chunk >= kMaxRingChunks) return false;
  std::atomic<RingSlot*>* const rings = &rings_[chunk];
  return MakeChunk(
      &header->ring_chunks.offset[chunk], header->ring_words.BytesOf(chunk),
      [=] { return rings->load(std::memory_order_acquire) != nullptr; },
      [=](char* memory) {
        rings->store(reinterpret_cast<RingSlot*>(memory),
                     std::memory_order_release);
      });
}

bool MakeNode(ImageTables* tables, uint32_t id) {
  return tables->nodes.Has(id) || static_cast<SharedImage*>(tables)->GrowNodes(id);
}
bool MakeModule(ImageTables* tables, uint32_t index) {
  return tables->modules.Has(index) ||
         static_cast<SharedImage*>(tables)->GrowModules(index);
}
bool MakeString(ImageTables* tables, uint32_t offset) {
  return tables->strings.Has(offset) ||
         static_cast<SharedImage*>(tables)->GrowStrings(offset);
}

}  // namespace mallogram
