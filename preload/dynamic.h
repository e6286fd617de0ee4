// The dynamic section of a loaded module, read in place: its symbols by name, its
// import slots. No lock, no allocation; the module must stay loaded meanwhile.
#pragma once

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstdint>

namespace mallogram {

class DynamicSection {
 public:
  explicit DynamicSection(const link_map* module)
      : DynamicSection(module->l_addr, module->l_ld) {}
  DynamicSection(uint64_t bias, const Elf64_Dyn* dynamic);

  // What the module itself defines under this name; nullptr: nothing.
  const Elf64_Sym* Find(const char* name) const;

  // DT_SONAME; nullptr: none.
  const char* Name() const;
  // f(name) for every library that it needs, in order.
  template <typename F>
  void EachNeeded(F&& f) const {
    if (dynamic_ == nullptr || strings_ == nullptr) return;
    for (const Elf64_Dyn* d = dynamic_; d->d_tag != DT_NULL; ++d) {
      if (d->d_tag == DT_NEEDED) f(strings_ + d->d_un.d_val);
    }
  }

  // f(name, slot) for every import slot that is filled by name, until it returns
  // true. Slots of functions that were not called yet may not be bound.
  template <typename F>
  bool AnyImport(F&& f) const {
    return AnyImportIn(calls_, calls_bytes_, f) ||
           AnyImportIn(data_, data_bytes_, f);
  }

 private:
  template <typename F>
  bool AnyImportIn(const Elf64_Rela* table, uint64_t bytes, F& f) const {
    if (symbols_ == nullptr || strings_ == nullptr) return false;
    for (uint64_t i = 0; i < bytes / sizeof(Elf64_Rela); ++i) {
      const uint64_t type = ELF64_R_TYPE(table[i].r_info);
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT &&
          type != R_X86_64_64) {
        continue;
      }
      const Elf64_Sym& symbol = symbols_[ELF64_R_SYM(table[i].r_info)];
      const uint64_t slot = bias_ + table[i].r_offset;
      if (f(strings_ + symbol.st_name, reinterpret_cast<const uint64_t*>(slot)))
        return true;
    }
    return false;
  }
  const Elf64_Sym* Match(uint32_t index, const char* name) const;

  const uint64_t bias_;
  const Elf64_Dyn* const dynamic_;
  const Elf64_Sym* symbols_ = nullptr;
  const char* strings_ = nullptr;
  const uint32_t* gnu_hash_ = nullptr;
  const uint32_t* hash_ = nullptr;
  const Elf64_Rela* calls_ = nullptr;
  const Elf64_Rela* data_ = nullptr;
  uint64_t calls_bytes_ = 0, data_bytes_ = 0;
};

}  // namespace mallogram
