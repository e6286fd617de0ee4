#include "preload/dynamic.h"

#include "preload/elf_hash.h"
#include "preload/text.h"

namespace mallogram {

DynamicSection::DynamicSection(uint64_t bias, const Elf64_Dyn* dynamic)
    : bias_(bias), dynamic_(dynamic) {
  if (dynamic == nullptr) return;
  for (const Elf64_Dyn* d = dynamic; d->d_tag != DT_NULL; ++d) {
    // The loader relocates the pointers of most modules in place.
    const uint64_t address =
        d->d_un.d_ptr < bias ? d->d_un.d_ptr + bias : d->d_un.d_ptr;
    switch (d->d_tag) {
      case DT_SYMTAB:
        symbols_ = reinterpret_cast<const Elf64_Sym*>(address);
        break;
      case DT_STRTAB:
        strings_ = reinterpret_cast<const char*>(address);
        break;
      case DT_GNU_HASH:
        gnu_hash_ = reinterpret_cast<const uint32_t*>(address);
        break;
      case DT_HASH:
        hash_ = reinterpret_cast<const uint32_t*>(address);
        break;
      case DT_JMPREL:
        calls_ = reinterpret_cast<const Elf64_Rela*>(address);
        break;
      case DT_PLTRELSZ:
        calls_bytes_ = d->d_un.d_val;
        break;
      case DT_RELA:
        data_ = reinterpret_cast<const Elf64_Rela*>(address);
        break;
      case DT_RELASZ:
        data_bytes_ = d->d_un.d_val;
        break;
      default:
        break;
    }
  }
  if (calls_ == nullptr) calls_bytes_ = 0;
  if (data_ == nullptr) data_bytes_ = 0;
}

const char* DynamicSection::Name() const {
  if (dynamic_ == nullptr || strings_ == nullptr) return nullptr;
  for (const Elf64_Dyn* d = dynamic_; d->d_tag != DT_NULL; ++d) {
    if (d->d_tag == DT_SONAME) return strings_ + d->d_un.d_val;
  }
  return nullptr;
}

const Elf64_Sym* DynamicSection::Match(uint32_t index, const char* name) const {
  const Elf64_Sym& symbol = symbols_[index];
  const bool match =
      symbol.st_shndx != SHN_UNDEF && SameText(strings_ + symbol.st_name, name);
  return match ? &symbol : nullptr;
}

const Elf64_Sym* DynamicSection::Find(const char* name) const {
  if (symbols_ == nullptr || strings_ == nullptr) return nullptr;
  if (gnu_hash_ != nullptr) {
    const uint32_t hash = GnuHash(name);
    const uint32_t bucket_count = gnu_hash_[0], first = gnu_hash_[1];
    const uint32_t bloom_words = gnu_hash_[2];
    const uint32_t* const buckets = gnu_hash_ + 4 + 2 * size_t{bloom_words};
    const uint32_t* const chain = buckets + bucket_count;
    if (bucket_count == 0) return nullptr;
    uint32_t i = buckets[hash % bucket_count];
    if (i < first) return nullptr;
    for (;; ++i) {
      const uint32_t one = chain[i - first];
      if ((one | 1) == (hash | 1)) {
        if (const Elf64_Sym* const found = Match(i, name)) return found;
      }
      if ((one & 1) != 0) return nullptr;
    }
  }
  if (hash_ == nullptr || hash_[0] == 0) return nullptr;
  const uint32_t* const buckets = hash_ + 2;
  const uint32_t* const chain = buckets + hash_[0];
  for (uint32_t i = buckets[SysvHash(name) % hash_[0]]; i != 0; i = chain[i]) {
    if (const Elf64_Sym* const found = Match(i, name)) return found;
  }
  return nullptr;
}

}  // namespace mallogram
