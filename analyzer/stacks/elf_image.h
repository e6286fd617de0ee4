// Debug sections as libdw can read them: decompressed whatever the compression
// (libdw 0.188, Debian 12's, knows no zstd), and put together to ELF files in
// memory without being copied.
#pragma once

#include <elfutils/libdw.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace mallogram {

// A file that is open as long as the object lives. `elf` is nullptr if it is no
// ELF file, or no regular file.
class ElfFile {
 public:
  explicit ElfFile(const std::string& path);
  ~ElfFile();
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  Elf* elf() const { return elf_; }

 private:
  int fd_ = -1;
  Elf* elf_ = nullptr;
};

// The sections of a file by name, decompressed when first asked for (ELF gABI's
// SHF_COMPRESSED, by zlib or zstd).
class ElfSections {
 public:
  // `elf` outlives the object.
  explicit ElfSections(Elf* elf) : elf_(elf) {}

  // Valid as long as the object and the file. Empty: not there, or damaged.
  absl::string_view Find(absl::string_view name);
  std::vector<std::string> Names() const;
  bool UsesZstd() const;

 private:
  Elf* const elf_;
  std::deque<std::string> decompressed_;
  std::vector<std::pair<std::string, absl::string_view>> found_;
};

// An ELF file that has debug sections alone, and its DWARF.
class DwarfImage {
 public:
  // Names and contents, which outlive the image.
  using Sections = std::vector<std::pair<std::string, absl::string_view>>;

  // nullptr: libdw does not take it.
  static std::unique_ptr<DwarfImage> Make(const Sections& sections);
  ~DwarfImage();
  DwarfImage(const DwarfImage&) = delete;
  DwarfImage& operator=(const DwarfImage&) = delete;

  Dwarf* dwarf() const { return dwarf_; }

 private:
  DwarfImage() = default;
  bool AddSection(size_t name_offset, absl::string_view content, unsigned type);

  std::string names_;  // of sections
  Elf* elf_ = nullptr;
  Dwarf* dwarf_ = nullptr;
};

// The debug sections of a file, decompressed.
DwarfImage::Sections DebugSections(ElfSections* sections);

}  // namespace mallogram
