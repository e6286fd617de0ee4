#include "preload/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include "preload/clock.h"
#include "preload/sys.h"
#include "preload/text.h"

namespace mallogram {
namespace {

ImageTables* g_tables;
ForgetFn g_forget;
void (*g_watch)(const dl_find_object& module, ModuleSlot* slot);

// Copies the text to the image; returns the offset. Offset 0 is the empty string
// (and what a full area gives).
uint32_t StoreString(const char* text) {
  const auto bytes = static_cast<uint32_t>(Length(text) + 1);
  std::atomic<uint32_t>& used = g_tables->header->strings_used;
  const Doubling& shape = kStringChunks;
  uint32_t at = used.load(std::memory_order_relaxed);
  uint32_t begin;
  do {
    if (at + bytes > g_tables->header->strings_bytes) return 0;
    // In one chunk, since it is read as one piece.
    const int chunk = shape.ChunkOf(at + bytes - 1);
    begin = chunk == shape.ChunkOf(at) ? at : shape.FirstOf(chunk);
    if (begin + bytes > g_tables->header->strings_bytes ||
        !MakeString(g_tables, begin)) {
      return 0;
    }
  } while (
      !used.compare_exchange_weak(at, begin + bytes, std::memory_order_relaxed));
  __builtin_memcpy(&g_tables->strings[begin], text, bytes);
  return begin;
}

// As the loader names it: the main program has no name there, and was described
// when the image was made. A relative name is completed by the collector.
uint32_t StorePath(const char* name) {
  return name[0] == 0 ? g_tables->header->executable_offset : StoreString(name);
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

// Of the numbers that were given out, those whose slots are there.
uint32_t ReadyModules() {
  const ImageHeader& header = *g_tables->header;
  const uint32_t count = header.module_count.load(std::memory_order_acquire);
  return count < header.max_modules ? count : header.max_modules;
}

bool IsThere(uint32_t index) { return g_tables->modules.Has(index); }

bool IsOpen(const ModuleSlot& slot) {
  return slot.state.load(std::memory_order_acquire) == ModuleSlot::kReady &&
         slot.unload_tsc.load(std::memory_order_relaxed) == 0;
}

void Close(ModuleSlot* slot) {
  slot->unload_tsc.store(ReadStamp(g_tables->header->tsc_is_clock != 0),
                         std::memory_order_relaxed);
  g_forget(slot->start, slot->end);
}

uint32_t Register(const dl_find_object& found) {
  const auto start = reinterpret_cast<uint64_t>(found.dlfo_map_start);
  const auto end = reinterpret_cast<uint64_t>(found.dlfo_map_end);
  // Whoever was here before is gone, though no dlclose of ours saw it go (libc
  // unloads its own plug-ins, gconv's and NSS's, without the exported dlclose).
  for (uint32_t i = 0; i < ReadyModules(); ++i) {
    if (!IsThere(i)) continue;
    ModuleSlot& old = g_tables->modules[i];
    if (!IsOpen(old) || old.start >= end || start >= old.end) continue;
    if (old.start == start && old.end == end &&
        old.bias == found.dlfo_link_map->l_addr) {
      return i;  // another thread registered it since we looked
    }
    Close(&old);
  }
  ImageHeader* const header = g_tables->header;
  const uint32_t next = header->module_count.load(std::memory_order_relaxed);
  if (next >= header->max_modules || !MakeModule(g_tables, next)) return kNoModule;
  const uint32_t index =
      header->module_count.fetch_add(1, std::memory_order_relaxed);
  if (index >= header->max_modules || !MakeModule(g_tables, index)) {
    return kNoModule;
  }
  ModuleSlot& slot = g_tables->modules[index];
  slot.bias = found.dlfo_link_map->l_addr;
  slot.start = start;
  slot.end = end;
  slot.path_offset = StorePath(found.dlfo_link_map->l_name);
  slot.load_tsc = ReadStamp(header->tsc_is_clock != 0);
  CopyBuildId(start, end, slot.bias, &slot);
  if (g_watch != nullptr) g_watch(found, &slot);
  slot.state.store(ModuleSlot::kReady, std::memory_order_release);
  return index;
}

}  // namespace

void InitModules(ImageTables* tables, ForgetFn forget) {
  g_tables = tables;
  g_forget = forget;
  // A forked child starts a table of its own: cached rules name the parent's slots.
  forget(0, ~uint64_t{0});
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
  if (g_tables == nullptr) {
    module->index = kNoModule;
    return true;
  }
  for (uint32_t i = ReadyModules(); i-- > 0;) {
    if (!IsThere(i)) continue;
    const ModuleSlot& slot = g_tables->modules[i];
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
         g_tables->modules[module.index].kinds_unsure != 0;
}

void SweepModules() {
  if (g_tables == nullptr) return;
  for (uint32_t i = 0; i < ReadyModules(); ++i) {
    if (!IsThere(i)) continue;
    ModuleSlot& slot = g_tables->modules[i];
    if (!IsOpen(slot)) continue;
    dl_find_object found;
    const bool same =
        _dl_find_object(reinterpret_cast<void*>(slot.start), &found) == 0 &&
        reinterpret_cast<uint64_t>(found.dlfo_map_start) == slot.start &&
        reinterpret_cast<uint64_t>(found.dlfo_map_end) == slot.end &&
        found.dlfo_link_map->l_addr == slot.bias &&
        // Another library of the same shape at the same address.
        (found.dlfo_link_map->l_name[0] != '/' ||
         SameText(found.dlfo_link_map->l_name,
                  &g_tables->strings[slot.path_offset]));
    if (!same) Close(&slot);
  }
}

}  // namespace mallogram
