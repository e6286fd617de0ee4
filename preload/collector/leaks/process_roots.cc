#include "preload/collector/leaks/process_roots.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "preload/collector/leaks/heap_ranges.h"
#include "preload/sys.h"

namespace mallogram::leaks {
namespace {

constexpr uint64_t kPage = 4096;
// Below the stack pointer a function may use so much without moving it.
constexpr uint64_t kRedZone = 128;
// glibc's struct pthread, which begins at the thread pointer: 2304 bytes in 2.36.
constexpr uint64_t kThreadBytes = 2304;
// What a page looks like that is a thread's: glibc aligns it so.
constexpr uint64_t kThreadAlignment = 64;
constexpr uint64_t kMaxStack = uint64_t{1} << 30;
constexpr uint64_t kMaxOwn = uint64_t{1} << 40;

// Registers that may hold pointers, in DWARF's numbering.
struct Register {
  uint64_t number;
  unsigned long long user_regs_struct::*value;
};
constexpr Register kRegisters[] = {
    {0, &user_regs_struct::rax},  {1, &user_regs_struct::rdx},
    {2, &user_regs_struct::rcx},  {3, &user_regs_struct::rbx},
    {4, &user_regs_struct::rsi},  {5, &user_regs_struct::rdi},
    {6, &user_regs_struct::rbp},  {8, &user_regs_struct::r8},
    {9, &user_regs_struct::r9},   {10, &user_regs_struct::r10},
    {11, &user_regs_struct::r11}, {12, &user_regs_struct::r12},
    {13, &user_regs_struct::r13}, {14, &user_regs_struct::r14},
    {15, &user_regs_struct::r15},
};

bool IsAnonymous(const Mapping& mapping) {
  return mapping.inode == 0 && !mapping.shared &&
         (mapping.path.empty() || mapping.path.starts_with("[anon"));
}

// Reading may have side effects, and there are no pointers.
bool IsDevice(const Mapping& mapping) {
  return (mapping.path.starts_with("/dev/") &&
          !mapping.path.starts_with("/dev/shm") &&
          !mapping.path.starts_with("/dev/zero")) ||
         mapping.path == "[vvar]" || mapping.path == "[vsyscall]";
}

class Finder {
 public:
  Finder(const ScanRequest& request, const std::vector<Mapping>& maps,
         const std::vector<ProcessModule>& modules, Memory* memory)
      : request_(request), maps_(maps), modules_(modules), memory_(memory) {}

  Roots Find();

 private:
  void ExcludeOwn();
  void ExcludeDeadStacks();
  void AddStack(const StoppedThread& thread);
  void AddThreadData(const StoppedThread& thread);
  void AddTlsTable(uint64_t control_block, int64_t tid);
  void AddRegisters(const StoppedThread& thread);
  void WarnOfHidden();
  // Takes what is left of [start, end) for this kind of root.
  void Take(uint64_t start, uint64_t end, RootRange root);
  bool IsGuard(const Mapping& mapping) const {
    return !mapping.readable && !mapping.writable && !mapping.executable;
  }

  const ScanRequest& request_;
  const std::vector<Mapping>& maps_;
  const std::vector<ProcessModule>& modules_;
  Memory* const memory_;
  RangeSet left_;  // what is to be scanned and has no name yet
  RangeSet out_;   // what is not to be scanned
  Roots roots_;
};

void Finder::Take(uint64_t start, uint64_t end, RootRange root) {
  for (const auto& [from, to] : left_.Common(start, end)) {
    root.start = from;
    root.end = to;
    roots_.ranges.push_back(root);
  }
  left_.Remove(start, end);
}

// The recorder: its library, image and private memory.
void Finder::ExcludeOwn() {
  for (const Mapping& mapping : maps_) {
    const bool image = request_.image_inode != 0
                           ? mapping.inode == request_.image_inode &&
                                 (mapping.path.starts_with("/memfd:") ||
                                  mapping.path.starts_with("/dev/shm/"))
                           : mapping.path.starts_with("/memfd:mallogram");
    if (image) out_.Add(mapping.start, mapping.end);
  }
  if (request_.image == nullptr) return;
  const ImageHeader& image = *request_.image;
  const uint64_t library_start = image.library_start,
                 library_end = image.library_end;
  if (library_start < library_end && library_end - library_start < kMaxOwn) {
    out_.Add(library_start, (library_end + kPage - 1) / kPage * kPage);
  }
  struct Range {
    uint64_t start, end;
  };
  static_assert(sizeof(Range) == sizeof(sys::OwnRange));
  const uint64_t table = image.own_ranges;
  std::vector<Range> ranges(std::min(image.own_ranges_max, sys::kMaxOwnRanges));
  const size_t got =
      memory_->Read(table, ranges.data(), ranges.size() * sizeof(Range));
  if (got != ranges.size() * sizeof(Range)) {
    roots_.warnings.push_back("the recorder's own memory could not be told apart");
  }
  for (size_t i = 0; i < got / sizeof(Range); ++i) {
    const Range& range = ranges[i];
    // Only anonymous memory can be the recorder's, whatever the table says.
    const Mapping* const mapping = FindMapping(maps_, range.start);
    if (range.start == 0 || mapping == nullptr || !IsAnonymous(*mapping)) continue;
    if (range.end > range.start && range.end - range.start < kMaxOwn) {
      out_.Add(range.start, (range.end + kPage - 1) / kPage * kPage);
    }
  }
}

// glibc keeps stacks of threads that ended for new ones, with what was left on
// them. A thread's control block, at the upper end, points to itself twice. It
// stays a root: the result of a thread that nobody has joined yet is in it.
void Finder::ExcludeDeadStacks() {
  for (const StoppedThread& thread : request_.threads) {
    if (thread.registers.fs_base == 0)
      return;  // a live one could be taken for dead
  }
  std::vector<char> buffer(64 << 10);
  for (size_t i = 1; i < maps_.size() && !memory_->Stopped(); ++i) {
    const Mapping& mapping = maps_[i];
    if (!IsAnonymous(mapping) || !mapping.writable || !mapping.readable ||
        mapping.end - mapping.start > kMaxStack || !IsGuard(maps_[i - 1]) ||
        maps_[i - 1].end != mapping.start || !IsAnonymous(maps_[i - 1])) {
      continue;
    }
    const bool in_use = std::any_of(
        request_.threads.begin(), request_.threads.end(), [&](const auto& thread) {
          const uint64_t tls = thread.registers.fs_base, sp = thread.registers.rsp;
          return (tls >= mapping.start && tls < mapping.end) ||
                 (sp >= mapping.start && sp < mapping.end);
        });
    if (in_use) continue;
    uint64_t at = mapping.start, from = 0, to = 0, found = 0;
    while (found == 0 && memory_->NextPresent(at, mapping.end, &from, &to)) {
      at = from;
      const size_t got = memory_->Read(at, buffer.data(),
                                       std::min<uint64_t>(to - at, buffer.size()));
      for (size_t k = 0; k + 24 <= got; k += kThreadAlignment) {
        uint64_t words[3];
        std::memcpy(words, buffer.data() + k, sizeof(words));
        if (words[0] == at + k && words[2] == at + k) {
          found = at + k;
          break;
        }
      }
      at = got == 0 ? to : at + got;
    }
    if (found == 0) continue;
    out_.Add(mapping.start, found);
    AddTlsTable(found, 0);
  }
}

void Finder::AddRegisters(const StoppedThread& thread) {
  for (const Register& one : kRegisters) {
    const uint64_t value = thread.registers.*one.value;
    roots_.words.push_back(
        {value, {RootKind::kRegister, 0, one.number, thread.tid}});
  }
}

void Finder::AddThreadData(const StoppedThread& thread) {
  const uint64_t pointer = thread.registers.fs_base;
  if (pointer == 0) return;
  uint64_t tls = 0;
  for (const ProcessModule& module : modules_) tls += module.tls_bytes;
  RootRange root;
  root.kind = RootKind::kThreadLocal;
  root.tid = thread.tid;
  const uint64_t start = pointer - std::min(pointer, tls);
  if (out_.Contains(pointer)) {  // a stack that the program took from the heap
    root.start = start;
    root.end = pointer + kThreadBytes;
    roots_.ranges.push_back(root);
  }
  Take(start, pointer + kThreadBytes, root);
  AddTlsTable(pointer, thread.tid);
}

// The table of dynamic TLS is a block that the loader allocated. Its second entry
// is what the control block points to; that of a thread that ended, too.
void Finder::AddTlsTable(uint64_t control_block, int64_t tid) {
  uint64_t table = 0;
  if (memory_->Read(control_block + 8, &table, sizeof(table)) != sizeof(table))
    return;
  roots_.words.push_back(
      {table - 16, {RootKind::kThreadLocal, 0, control_block + 8, tid}});
}

void Finder::AddStack(const StoppedThread& thread) {
  uint64_t sp = thread.registers.rsp;
  if (sp == 0) return;  // all of it may be alive
  sp = std::max(sp - std::min(sp, kRedZone), thread.live_sp);
  const Mapping* const mapping = FindMapping(maps_, sp);
  if (mapping == nullptr) return;
  RootRange root;
  root.kind = RootKind::kStack;
  root.tid = thread.tid;
  // A coroutine's, in a block: the block is no root, but its living part is one.
  const auto in_heap = out_.Common(sp, sp + 1);
  if (!in_heap.empty()) {
    for (const InheritedBlock& block : request_.inherited) {
      if (sp - block.address >= block.size) continue;
      root.start = sp;
      root.end = block.address + block.size;
      roots_.ranges.push_back(root);
      return;
    }
    uint64_t end = sp;
    if (memory_->Stopped()) return;
    request_.live->ForEach([&](uint64_t start, uint32_t slot) {
      if (start > sp || !request_.model->IsLive(slot)) return;
      const uint64_t size = request_.model->SizeAt(slot);
      if (sp - start < size) end = start + size;
    });
    root.start = sp;
    root.end = end;
    if (end != sp) roots_.ranges.push_back(root);
    return;
  }
  const uint64_t tls = thread.registers.fs_base;
  const bool main_stack = mapping->path == "[stack]";
  const size_t index = static_cast<size_t>(mapping - maps_.data());
  // A stack that glibc made begins after a guard, or where nothing is; one that the
  // program made, in a mapping of its own, may have anything below it.
  const bool own_start = index == 0 || maps_[index - 1].end != mapping->start ||
                         IsGuard(maps_[index - 1]);
  const bool made_by_glibc = tls > sp && tls < mapping->end && own_start;
  if (main_stack || made_by_glibc) left_.Remove(mapping->start, sp);
  // What follows the control block belongs to a neighbour.
  const uint64_t end =
      made_by_glibc ? std::min(mapping->end, tls + kThreadBytes) : mapping->end;
  if (main_stack || made_by_glibc) Take(sp, end, root);
}

// Memory that was taken away from the program for a while may hold pointers.
void Finder::WarnOfHidden() {
  constexpr uint64_t kMaxLookedAt = uint64_t{64} << 30;
  uint64_t hidden = 0, looked_at = 0;
  for (const Mapping& mapping : maps_) {
    if (mapping.readable || !IsAnonymous(mapping)) continue;
    looked_at += mapping.end - mapping.start;
    if (looked_at > kMaxLookedAt && !memory_->PassesHoles()) break;
    // Smaller ones are taken for full by NextPresent, and are guards as a rule.
    constexpr uint64_t kWorthAsking = 64 << 10;
    if (mapping.end - mapping.start < kWorthAsking) continue;
    uint64_t at = mapping.start, from = 0, to = 0;
    while (memory_->NextPresent(at, mapping.end, &from, &to)) {
      for (const auto& [a, b] : out_.Missing(from, to)) hidden += b - a;
      at = to;
    }
  }
  if (hidden != 0) {
    roots_.warnings.push_back(absl::StrCat(
        hidden, " bytes of memory without read permission were not looked at"));
  }
}

Roots Finder::Find() {
  ExcludeOwn();
  RangeSet data;  // of modules
  for (const ProcessModule& module : modules_) {
    for (const ProcessModule::Segment& segment : module.segments) {
      if (segment.writable) data.Add(segment.start, segment.end);
    }
  }
  FindHeap(request_, maps_, data, memory_, &out_);
  ExcludeDeadStacks();
  for (const Mapping& mapping : maps_) {
    if (!mapping.readable || !mapping.writable || IsDevice(mapping)) continue;
    for (const auto& [from, to] : out_.Missing(mapping.start, mapping.end)) {
      left_.Add(from, to);
    }
  }
  // In a statically linked program it may be in any.
  const size_t libc = static_cast<size_t>(
      std::find_if(modules_.begin(), modules_.end(),
                   [](const ProcessModule& module) {
                     return module.loaded.path.find("/libc.so") !=
                                std::string::npos ||
                            module.loaded.path.find("/libc-2") != std::string::npos;
                   }) -
      modules_.begin());
  for (size_t i = 0; i < modules_.size(); ++i) {
    for (const ProcessModule::Segment& segment : modules_[i].segments) {
      if (!segment.writable) continue;
      RootRange root;
      root.kind = RootKind::kGlobal;
      root.module = static_cast<uint32_t>(i + 1);
      root.bias = modules_[i].loaded.bias;
      root.allocator = libc == modules_.size() || libc == i;
      Take(segment.start, segment.end, root);
    }
  }
  for (const StoppedThread& thread : request_.threads) AddThreadData(thread);
  for (const StoppedThread& thread : request_.threads) AddStack(thread);
  // What has no name by now: before the stacks, which name passing holders.
  const auto stacks = std::find_if(
      roots_.ranges.begin(), roots_.ranges.end(),
      [](const RootRange& root) { return root.kind == RootKind::kStack; });
  std::vector<RootRange> named_last(stacks, roots_.ranges.end());
  roots_.ranges.erase(stacks, roots_.ranges.end());
  for (const auto& [start, end] : left_.ranges()) {
    RootRange root;
    root.start = start;
    root.end = end;
    roots_.ranges.push_back(root);
  }
  roots_.ranges.insert(roots_.ranges.end(), named_last.begin(), named_last.end());
  for (const StoppedThread& thread : request_.threads) AddRegisters(thread);
  WarnOfHidden();
  return std::move(roots_);
}

}  // namespace

Roots FindRoots(const ScanRequest& request, const std::vector<Mapping>& maps,
                const std::vector<ProcessModule>& modules, Memory* memory) {
  return Finder(request, maps, modules, memory).Find();
}

}  // namespace mallogram::leaks
