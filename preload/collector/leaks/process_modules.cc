#include "preload/collector/leaks/process_modules.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "absl/container/flat_hash_set.h"

namespace mallogram::leaks {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMaxHeaders = 128;
constexpr size_t kMaxNotes = 4096;
constexpr uint64_t kMaxModule = uint64_t{1} << 40;

uint64_t PageDown(uint64_t address) { return address & ~(kPage - 1); }
uint64_t PageUp(uint64_t address) { return PageDown(address + kPage - 1); }

std::string BuildId(const char* notes, size_t bytes) {
  while (bytes >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes, sizeof(note));
    const uint64_t name = (uint64_t{note.n_namesz} + 3) / 4 * 4;
    const uint64_t content = (uint64_t{note.n_descsz} + 3) / 4 * 4;
    if (sizeof(note) + name + content > bytes) break;
    const char* const id = notes + sizeof(note) + name;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(notes + sizeof(note), "GNU", 4) == 0) {
      return std::string(id, note.n_descsz);
    }
    notes = id + content;
    bytes -= sizeof(note) + name + content;
  }
  return "";
}

bool ReadModule(const Mapping& mapping, Memory* memory, ProcessModule* module) {
  Elf64_Ehdr header;
  if (memory->Read(mapping.start, &header, sizeof(header)) != sizeof(header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum > kMaxHeaders) {
    return false;
  }
  std::vector<Elf64_Phdr> headers(header.e_phnum);
  const size_t bytes = headers.size() * sizeof(headers[0]);
  if (memory->Read(mapping.start + header.e_phoff, headers.data(), bytes) !=
      bytes) {
    return false;
  }
  const auto first =
      std::find_if(headers.begin(), headers.end(),
                   [](const auto& h) { return h.p_type == PT_LOAD; });
  if (first == headers.end() || PageDown(first->p_offset) != 0) return false;
  LoadedModule& loaded = module->loaded;
  loaded.path = mapping.path;
  loaded.bias = mapping.start - PageDown(first->p_vaddr);
  loaded.start = loaded.end = mapping.start;
  for (const Elf64_Phdr& h : headers) {
    const uint64_t start = loaded.bias + h.p_vaddr;
    if (h.p_memsz > kMaxModule || start + h.p_memsz < start) return false;
    if (h.p_type == PT_LOAD) {
      ProcessModule::Segment segment;
      segment.start = PageDown(start);
      segment.end = PageUp(start + h.p_memsz);
      segment.writable = (h.p_flags & PF_W) != 0;
      segment.executable = (h.p_flags & PF_X) != 0;
      if (segment.start < mapping.start) return false;
      loaded.end = std::max(loaded.end, segment.end);
      module->segments.push_back(segment);
    } else if (h.p_type == PT_GNU_RELRO) {
      module->relro.start = PageDown(start);
      module->relro.end = PageDown(start + h.p_memsz);
    } else if (h.p_type == PT_DYNAMIC) {
      module->dynamic = start;
    } else if (h.p_type == PT_TLS) {
      module->tls_bytes = (h.p_memsz + 63) / 64 * 64;
    } else if (h.p_type == PT_NOTE && loaded.build_id.empty()) {
      char notes[kMaxNotes];
      const size_t got =
          memory->Read(start, notes, std::min<size_t>(h.p_memsz, sizeof(notes)));
      loaded.build_id = BuildId(notes, got);
    }
  }
  return loaded.end - loaded.start <= kMaxModule;
}

}  // namespace

std::vector<ProcessModule> FindModules(const std::vector<Mapping>& maps,
                                       Memory* memory) {
  // Of other files nothing is read: it may take its time, or take memory.
  absl::flat_hash_set<uint64_t> executable;
  for (const Mapping& mapping : maps) {
    if (mapping.executable && mapping.inode != 0) executable.insert(mapping.inode);
  }
  std::vector<ProcessModule> modules;
  for (size_t i = 0; i < maps.size() && !memory->Stopped(); ++i) {
    const Mapping& mapping = maps[i];
    if (mapping.offset != 0 || !mapping.readable ||
        executable.count(mapping.inode) == 0)
      continue;
    if (!modules.empty() && mapping.start < modules.back().loaded.end) continue;
    ProcessModule module;
    if (!ReadModule(mapping, memory, &module)) continue;
    // An ELF file that was mapped to be read is no module: no code of it is mapped.
    bool has_code = false;
    for (size_t j = i; j < maps.size() && maps[j].start < module.loaded.end; ++j) {
      has_code = has_code || (maps[j].executable && maps[j].inode == mapping.inode);
    }
    if (has_code) modules.push_back(std::move(module));
  }
  return modules;
}

ModuleRanges::ModuleRanges(const std::vector<ProcessModule>& modules) {
  for (const ProcessModule& module : modules) {
    for (const ProcessModule::Segment& segment : module.segments) {
      if (!segment.writable) {
        ranges_.push_back(
            {segment.start, segment.end, segment.executable ? kCode : kConstant});
      }
    }
    if (module.relro.start < module.relro.end) {
      ranges_.push_back({module.relro.start, module.relro.end, kConstant});
    }
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
}

ModuleRanges::Of ModuleRanges::Kind(uint64_t address) const {
  const auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), address,
      [](uint64_t a, const Range& range) { return a < range.start; });
  if (after == ranges_.begin()) return kNothing;
  const Range& range = *std::prev(after);
  return address < range.end ? range.kind : kNothing;
}

}  // namespace mallogram::leaks
