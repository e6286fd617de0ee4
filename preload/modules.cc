#include "preload/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>

#include "preload/clock.h"
#include "preload/sys.h"
#include "preload/unwinder/walker.h"

namespace mallogram {
namespace {

ImageHeader* g_header;
ModuleSlot* g_slots;
char* g_strings;
void (*g_watch)(const dl_find_object& module, ModuleSlot* slot);

size_t Length(const char* s) {
  size_t n = 0;
  while (s[n] != 0) ++n;
  return n;
}

bool SameText(const char* a, const char* b) {
  while (*a != 0 && *a == *b) ++a, ++b;
  return *a == *b;
}

// Copies `prefix` and `text` to the image; returns the offset. Offset 0 is the
// empty string (and what a full area gives).
uint32_t StoreString(const char* prefix, const char* text) {
  const size_t prefix_bytes = Length(prefix);
  const size_t bytes = prefix_bytes + Length(text) + 1;
  const uint32_t at = g_header->strings_used.fetch_add(static_cast<uint32_t>(bytes),
                                                       std::memory_order_relaxed);
  if (at + bytes > g_header->strings_bytes) return 0;
  __builtin_memcpy(g_strings + at, prefix, prefix_bytes);
  __builtin_memcpy(g_strings + at + prefix_bytes, text, bytes - prefix_bytes);
  return at;
}

// The path as a later report needs it: absolute. The loader keeps the main
// program's name empty and relative names relative.
uint32_t StorePath(const char* name) {
  char buffer[PATH_MAX + 2];
  if (name[0] == 0) {
    const long n = sys::Call(SYS_readlink, sys::Arg("/proc/self/exe"),
                             sys::Arg(buffer), PATH_MAX);
    if (n <= 0) return 0;
    buffer[n] = 0;
    return StoreString("", buffer);
  }
  bool has_slash = false;
  for (const char* p = name; *p != 0; ++p) has_slash |= *p == '/';
  if (name[0] == '/' || !has_slash) return StoreString("", name);
  const long n = sys::Call(SYS_getcwd, sys::Arg(buffer), PATH_MAX);
  if (n <= 1) return StoreString("", name);
  buffer[n - 1] = '/';  // over the NUL that the kernel counts
  buffer[n] = 0;
  return StoreString(buffer, name);
}

// Copies the GNU build-id out of the mapped notes. Every address is checked to
// lie in [start, end): the first page of a module is the file's first page in
// anything a linker makes, but nothing requires it.
void CopyBuildId(uint64_t start, uint64_t end, uint64_t bias, ModuleSlot* slot) {
  slot->build_id_bytes = 0;
  if (end - start < sizeof(Elf64_Ehdr)) return;
  const auto* elf = reinterpret_cast<const Elf64_Ehdr*>(start);
  if (__builtin_memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
      elf->e_phentsize != sizeof(Elf64_Phdr) ||
      elf->e_phoff + uint64_t{elf->e_phnum} * sizeof(Elf64_Phdr) >
          sys::kPageBytes) {
    return;
  }
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(start + elf->e_phoff);
  for (int i = 0; i < elf->e_phnum; ++i) {
    if (segments[i].p_type != PT_NOTE) continue;
    uint64_t p = bias + segments[i].p_vaddr;
    const uint64_t note_end = p + segments[i].p_memsz;
    if (p < start || note_end > end || note_end < p) continue;
    while (p + sizeof(Elf64_Nhdr) <= note_end) {
      const auto* note = reinterpret_cast<const Elf64_Nhdr*>(p);
      const uint64_t name = p + sizeof(Elf64_Nhdr);
      const uint64_t description = name + ((note->n_namesz + 3u) & ~3u);
      const uint64_t next = description + ((note->n_descsz + 3u) & ~3u);
      if (next > note_end) break;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
          __builtin_memcmp(reinterpret_cast<const char*>(name), "GNU", 4) == 0 &&
          note->n_descsz <= sizeof(slot->build_id)) {
        slot->build_id_bytes = static_cast<uint8_t>(note->n_descsz);
        __builtin_memcpy(slot->build_id, reinterpret_cast<const char*>(description),
                         note->n_descsz);
        return;
      }
      p = next;
    }
  }
}

uint32_t ReadyModules() {
  const uint32_t count = g_header->module_count.load(std::memory_order_acquire);
  return count < g_header->max_modules ? count : g_header->max_modules;
}

bool IsOpen(const ModuleSlot& slot) {
  return slot.state.load(std::memory_order_acquire) == ModuleSlot::kReady &&
         slot.unload_tsc.load(std::memory_order_relaxed) == 0;
}

void Close(ModuleSlot* slot) {
  slot->unload_tsc.store(ReadStamp(g_header->tsc_is_clock != 0),
                         std::memory_order_relaxed);
  ForgetCode(slot->start, slot->end);
}

uint32_t Register(const dl_find_object& found) {
  const auto start = reinterpret_cast<uint64_t>(found.dlfo_map_start);
  const auto end = reinterpret_cast<uint64_t>(found.dlfo_map_end);
  // Whoever was here before is gone, though no dlclose of ours saw it go (libc
  // unloads its own plug-ins, gconv's and NSS's, without the exported dlclose).
  for (uint32_t i = 0; i < ReadyModules(); ++i) {
    ModuleSlot& old = g_slots[i];
    if (!IsOpen(old) || old.start >= end || start >= old.end) continue;
    if (old.start == start && old.end == end &&
        old.bias == found.dlfo_link_map->l_addr) {
      return i;  // another thread registered it since we looked
    }
    Close(&old);
  }
  if (g_header->module_count.load(std::memory_order_relaxed) >=
      g_header->max_modules) {
    return kNoModule;
  }
  const uint32_t index =
      g_header->module_count.fetch_add(1, std::memory_order_relaxed);
  if (index >= g_header->max_modules) return kNoModule;
  ModuleSlot& slot = g_slots[index];
  slot.bias = found.dlfo_link_map->l_addr;
  slot.start = start;
  slot.end = end;
  slot.path_offset = StorePath(found.dlfo_link_map->l_name);
  slot.load_tsc = ReadStamp(g_header->tsc_is_clock != 0);
  CopyBuildId(start, end, slot.bias, &slot);
  if (g_watch != nullptr) g_watch(found, &slot);
  slot.state.store(ModuleSlot::kReady, std::memory_order_release);
  return index;
}

}  // namespace

void InitModules(ImageHeader* header, ModuleSlot* slots, char* strings) {
  g_header = header;
  g_slots = slots;
  g_strings = strings;
  // A forked child starts a table of its own: cached rules name the parent's slots.
  ForgetCode(0, ~uint64_t{0});
}

void SetModuleWatch(void (*watch)(const dl_find_object& module, ModuleSlot* slot)) {
  g_watch = watch;
}

bool FindModule(uint64_t pc, CodeModule* module) {
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &found) != 0) return false;
  module->bias = found.dlfo_link_map->l_addr;
  module->start = reinterpret_cast<uint64_t>(found.dlfo_map_start);
  module->end = reinterpret_cast<uint64_t>(found.dlfo_map_end);
  module->eh_frame_hdr = found.dlfo_eh_frame;
  if (g_header == nullptr) {
    module->index = kNoModule;
    return true;
  }
  for (uint32_t i = ReadyModules(); i-- > 0;) {
    const ModuleSlot& slot = g_slots[i];
    if (IsOpen(slot) && slot.start == module->start && slot.end == module->end &&
        slot.bias == module->bias) {
      module->index = i;
      return true;
    }
  }
  module->index = Register(found);
  return true;
}

bool AreKindsUnsureAt(uint64_t pc) {
  CodeModule module;
  return FindModule(pc, &module) && module.index != kNoModule &&
         g_slots[module.index].kinds_unsure != 0;
}

void SweepModules() {
  if (g_header == nullptr) return;
  for (uint32_t i = 0; i < ReadyModules(); ++i) {
    ModuleSlot& slot = g_slots[i];
    if (!IsOpen(slot)) continue;
    dl_find_object found;
    const bool same =
        _dl_find_object(reinterpret_cast<void*>(slot.start), &found) == 0 &&
        reinterpret_cast<uint64_t>(found.dlfo_map_start) == slot.start &&
        reinterpret_cast<uint64_t>(found.dlfo_map_end) == slot.end &&
        found.dlfo_link_map->l_addr == slot.bias &&
        // Another library of the same shape at the same address.
        (found.dlfo_link_map->l_name[0] != '/' ||
         SameText(found.dlfo_link_map->l_name, g_strings + slot.path_offset));
    if (!same) Close(&slot);
  }
}

}  // namespace mallogram
