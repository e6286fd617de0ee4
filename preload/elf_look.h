// Questions to an ELF file for this machine: its loader, the libraries it needs,
// the symbols it defines. Every read is a pread into a small window, so that a file
// that is damaged, cut or rewritten meanwhile gives wrong answers at worst.
//
// Raw system calls alone, no allocation: see program_file.h.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>

#include "preload/text.h"

namespace mallogram {

// A file through a window. An answer is good until the next question.
class FileWindow {
 public:
  static constexpr size_t kBytes = 512;

  explicit FileWindow(int fd) : fd_(fd) {}
  // `bytes` (at most kBytes) at `offset`; nullptr: the file has not got them.
  const char* At(uint64_t offset, size_t bytes);
  // As many as there are, up to kBytes.
  const char* UpTo(uint64_t offset, size_t* bytes);

  template <typename T>
  bool Read(uint64_t offset, T* value) {
    static_assert(sizeof(T) <= kBytes);
    const char* p = At(offset, sizeof(T));
    if (p != nullptr) __builtin_memcpy(value, p, sizeof(T));
    return p != nullptr;
  }

 private:
  const int fd_;
  uint64_t start_ = 0;
  size_t filled_ = 0;
  char buffer_[kBytes];
};

class ElfLook {
 public:
  explicit ElfLook(FileWindow* file) : file_(file) {}
  // REQUIRES: a 64-bit little-endian file with that header. False: its program
  // headers make no sense.
  bool Open(const Elf64_Ehdr& header);

  // PT_INTERP, cut to `room`; empty if there is none.
  void Loader(char* out, size_t room);
  // f(name) for every DT_NEEDED, a TextPiece, until it returns true. A name of more
  // than 64 bytes is cut.
  template <typename F>
  bool AnyNeeded(F&& f) {
    if (strings_ == 0) return false;
    for (uint64_t i = 0; i < dynamic_count_; ++i) {
      Elf64_Dyn entry;
      if (!file_->Read(dynamic_ + i * sizeof(entry), &entry)) return false;
      if (entry.d_tag == DT_NULL) return false;
      if (entry.d_tag != DT_NEEDED) continue;
      size_t room = 0;
      const char* name = file_->UpTo(strings_ + entry.d_un.d_val, &room);
      if (name == nullptr) continue;
      size_t bytes = 0;
      while (bytes < room && bytes < 64 && name[bytes] != 0) ++bytes;
      if (f(TextPiece{name, bytes})) return true;
    }
    return false;
  }
  // True if the dynamic symbol table defines it.
  bool Defines(const char* symbol);

 private:
  struct Segment {
    uint64_t address, offset, bytes;
  };
  static constexpr int kMaxSegments = 16;
  // A hash chain is a few entries long, a dynamic section some thirty.
  static constexpr int kMaxChain = 4096;
  static constexpr uint64_t kMaxDynamic = 1024;

  uint64_t OffsetOf(uint64_t address) const;  // 0: not in the file
  void ReadDynamic();
  bool DefinesByGnuHash(const char* symbol);
  bool DefinesByHash(const char* symbol);
  bool IsSymbol(uint64_t index, const char* symbol);

  FileWindow* const file_;
  Segment segments_[kMaxSegments];
  int segment_count_ = 0;
  uint64_t loader_ = 0, loader_bytes_ = 0;
  // Offsets in the file; 0: there is none.
  uint64_t dynamic_ = 0, dynamic_count_ = 0;
  uint64_t strings_ = 0, symbols_ = 0, gnu_hash_ = 0, hash_ = 0;
};

}  // namespace mallogram
