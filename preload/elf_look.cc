#include "preload/elf_look.h"

#include <errno.h>

#include "preload/elf_hash.h"
#include "preload/sys.h"

namespace mallogram {

const char* FileWindow::UpTo(uint64_t offset, size_t* bytes) {
  if (offset > INT64_MAX - kBytes) return nullptr;
  filled_ = 0;
  start_ = offset;
  constexpr int kMaxReads = 8;  // a file system of a user's may give them piecemeal
  for (int i = 0; i < kMaxReads && filled_ < kBytes; ++i) {
    const long got = sys::Call(SYS_pread64, fd_, sys::Arg(buffer_ + filled_),
                               static_cast<long>(kBytes - filled_),
                               static_cast<long>(offset + filled_));
    if (got == -EINTR) continue;
    if (got <= 0) break;
    filled_ += static_cast<size_t>(got);
  }
  *bytes = filled_;
  return filled_ != 0 ? buffer_ : nullptr;
}

const char* FileWindow::At(uint64_t offset, size_t bytes) {
  if (offset < start_ || offset - start_ > filled_ ||
      bytes > filled_ - (offset - start_)) {
    size_t got = 0;
    if (UpTo(offset, &got) == nullptr || bytes > got) return nullptr;
  }
  return buffer_ + (offset - start_);
}

bool ElfLook::Open(const Elf64_Ehdr& header) {
  constexpr uint64_t kMaxHeaders = 64 << 10;
  if (header.e_phentsize != sizeof(Elf64_Phdr) ||
      uint64_t{header.e_phnum} * sizeof(Elf64_Phdr) > kMaxHeaders) {
    return false;
  }
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part;
    if (!file_->Read(header.e_phoff + i * sizeof(part), &part)) break;
    if (part.p_type == PT_LOAD && segment_count_ < kMaxSegments) {
      segments_[segment_count_++] = {part.p_vaddr, part.p_offset, part.p_filesz};
    } else if (part.p_type == PT_INTERP) {
      loader_ = part.p_offset;
      loader_bytes_ = part.p_filesz;
    } else if (part.p_type == PT_DYNAMIC) {
      dynamic_ = part.p_offset;
      dynamic_count_ = part.p_filesz / sizeof(Elf64_Dyn);
      if (dynamic_count_ > kMaxDynamic) dynamic_count_ = kMaxDynamic;
    }
  }
  ReadDynamic();
  return true;
}

void ElfLook::Loader(char* out, size_t room) {
  out[0] = 0;
  size_t got = 0;
  if (loader_bytes_ == 0) return;
  const char* name = file_->UpTo(loader_, &got);
  if (name == nullptr) return;
  if (got > loader_bytes_) got = loader_bytes_;
  size_t n = 0;
  for (; n < got && n + 1 < room && name[n] != 0; ++n) out[n] = name[n];
  out[n] = 0;
}

uint64_t ElfLook::OffsetOf(uint64_t address) const {
  for (int i = 0; i < segment_count_; ++i) {
    const Segment& s = segments_[i];
    if (address - s.address < s.bytes) return s.offset + (address - s.address);
  }
  return 0;
}

void ElfLook::ReadDynamic() {
  for (uint64_t i = 0; i < dynamic_count_; ++i) {
    Elf64_Dyn entry;
    if (!file_->Read(dynamic_ + i * sizeof(entry), &entry)) return;
    switch (entry.d_tag) {
      case DT_NULL:
        return;
      case DT_STRTAB:
        strings_ = OffsetOf(entry.d_un.d_ptr);
        break;
      case DT_SYMTAB:
        symbols_ = OffsetOf(entry.d_un.d_ptr);
        break;
      case DT_GNU_HASH:
        gnu_hash_ = OffsetOf(entry.d_un.d_ptr);
        break;
      case DT_HASH:
        hash_ = OffsetOf(entry.d_un.d_ptr);
        break;
      default:
        break;
    }
  }
}

bool ElfLook::IsSymbol(uint64_t index, const char* symbol) {
  Elf64_Sym entry;
  if (!file_->Read(symbols_ + index * sizeof(entry), &entry)) return false;
  if (entry.st_shndx == SHN_UNDEF) return false;
  const size_t bytes = Length(symbol) + 1;
  const char* name = file_->At(strings_ + entry.st_name, bytes);
  return name != nullptr && __builtin_memcmp(name, symbol, bytes) == 0;
}

bool ElfLook::Defines(const char* symbol) {
  if (strings_ == 0 || symbols_ == 0) return false;
  return gnu_hash_ != 0 ? DefinesByGnuHash(symbol)
                        : hash_ != 0 && DefinesByHash(symbol);
}

bool ElfLook::DefinesByGnuHash(const char* symbol) {
  struct {
    uint32_t buckets, first, bloom_words, bloom_shift;
  } head;
  if (!file_->Read(gnu_hash_, &head) || head.buckets == 0) return false;
  const uint32_t hash = GnuHash(symbol);
  const uint64_t bloom = gnu_hash_ + sizeof(head);
  if (head.bloom_words != 0) {
    uint64_t word;
    if (!file_->Read(bloom + sizeof(word) * (hash / 64 % head.bloom_words),
                     &word)) {
      return false;
    }
    if ((word >> hash % 64 & word >> (hash >> (head.bloom_shift & 31)) % 64 & 1) ==
        0) {
      return false;
    }
  }
  const uint64_t buckets = bloom + sizeof(uint64_t) * uint64_t{head.bloom_words};
  const uint64_t chains = buckets + sizeof(uint32_t) * uint64_t{head.buckets};
  uint32_t index;
  if (!file_->Read(buckets + sizeof(index) * (hash % head.buckets), &index) ||
      index < head.first) {
    return false;
  }
  for (int i = 0; i < kMaxChain; ++i, ++index) {
    uint32_t entry;
    if (!file_->Read(chains + sizeof(entry) * uint64_t{index - head.first},
                     &entry)) {
      return false;
    }
    if ((entry | 1) == (hash | 1) && IsSymbol(index, symbol)) return true;
    if ((entry & 1) != 0) return false;
  }
  return false;
}

bool ElfLook::DefinesByHash(const char* symbol) {
  struct {
    uint32_t buckets, chains;
  } head;
  if (!file_->Read(hash_, &head) || head.buckets == 0) return false;
  const uint64_t buckets = hash_ + sizeof(head);
  const uint64_t chains = buckets + sizeof(uint32_t) * uint64_t{head.buckets};
  uint32_t index;
  if (!file_->Read(buckets + sizeof(index) * (SysvHash(symbol) % head.buckets),
                   &index)) {
    return false;
  }
  for (int i = 0; i < kMaxChain && index != 0; ++i) {
    if (IsSymbol(index, symbol)) return true;
    if (!file_->Read(chains + sizeof(index) * uint64_t{index}, &index))
      return false;
  }
  return false;
}

}  // namespace mallogram
