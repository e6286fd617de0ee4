#include "analyzer/stacks/elf_image.h"

#include <fcntl.h>
#include <gelf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"

namespace mallogram {
namespace {

constexpr uint32_t kByZstd = 2;  // ELFCOMPRESS_ZSTD: Debian 12's elf.h has no name
// A damaged header must not ask for all memory there is.
constexpr uint64_t kMaxSectionBytes = uint64_t{16} << 30;

bool Inflate(absl::string_view packed, std::string* bytes) {
  z_stream stream = {};
  if (inflateInit(&stream) != Z_OK) return false;
  // zlib counts in 32 bits: piece by piece.
  constexpr size_t kPiece = size_t{1} << 30;
  size_t taken = 0, made = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const size_t in = std::min(kPiece, packed.size() - taken);
    const size_t out = std::min(kPiece, bytes->size() - made);
    stream.next_in =
        reinterpret_cast<Bytef*>(const_cast<char*>(packed.data())) + taken;
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(bytes->data()) + made;
    stream.avail_out = static_cast<uInt>(out);
    status = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    made += out - stream.avail_out;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && made == bytes->size();
}

std::string NameOf(Elf* elf, Elf_Scn* section) {
  GElf_Shdr header;
  size_t names = 0;
  if (gelf_getshdr(section, &header) == nullptr ||
      elf_getshdrstrndx(elf, &names) != 0) {
    return "";
  }
  const char* name = elf_strptr(elf, names, header.sh_name);
  return name == nullptr ? "" : name;
}

// Calls f(section) for every section until it returns false.
template <typename F>
void ForEachSection(Elf* elf, F f) {
  for (Elf_Scn* section = nullptr;
       (section = elf_nextscn(elf, section)) != nullptr;) {
    if (!f(section)) return;
  }
}

// As it is in the file. Images of ours have no file, and no raw data.
std::optional<absl::string_view> RawBytes(Elf_Scn* section) {
  const Elf_Data* data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr)
    data = elf_getdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return {};
  return absl::string_view(static_cast<const char*>(data->d_buf), data->d_size);
}

std::optional<std::string> Decompressed(Elf_Scn* section, absl::string_view raw) {
  GElf_Chdr header;
  if (gelf_getchdr(section, &header) == nullptr ||
      header.ch_size > kMaxSectionBytes || raw.size() < sizeof(Elf64_Chdr)) {
    return {};
  }
  const absl::string_view packed = raw.substr(sizeof(Elf64_Chdr));
  std::string bytes(header.ch_size, '\0');
  if (header.ch_type == kByZstd) {
    const size_t made =
        ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
    if (ZSTD_isError(made) != 0 || made != bytes.size()) return {};
  } else if (header.ch_type != ELFCOMPRESS_ZLIB || !Inflate(packed, &bytes)) {
    return {};
  }
  return bytes;
}

}  // namespace

ElfFile::ElfFile(const std::string& path) {
  elf_version(EV_CURRENT);
  // A FIFO would block.
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return;
  elf_ = elf_begin(fd_, ELF_C_READ_MMAP, nullptr);
  if (elf_ == nullptr || elf_kind(elf_) == ELF_K_ELF) return;
  elf_end(elf_);
  elf_ = nullptr;
}

ElfFile::~ElfFile() {
  if (elf_ != nullptr) elf_end(elf_);
  if (fd_ >= 0) close(fd_);
}

absl::string_view ElfSections::Find(absl::string_view name) {
  for (const auto& [known, bytes] : found_) {
    if (known == name) return bytes;
  }
  absl::string_view bytes;
  ForEachSection(elf_, [&](Elf_Scn* section) {
    GElf_Shdr header;
    if (NameOf(elf_, section) != name) return true;
    const std::optional<absl::string_view> raw = RawBytes(section);
    if (!raw.has_value() || gelf_getshdr(section, &header) == nullptr) return false;
    if ((header.sh_flags & SHF_COMPRESSED) == 0) {
      bytes = *raw;
    } else if (auto unpacked = Decompressed(section, *raw); unpacked.has_value()) {
      bytes = decompressed_.emplace_back(*std::move(unpacked));
    }
    return false;
  });
  found_.emplace_back(name, bytes);
  return bytes;
}

std::vector<std::string> ElfSections::Names() const {
  std::vector<std::string> names;
  ForEachSection(elf_, [&](Elf_Scn* section) {
    names.push_back(NameOf(elf_, section));
    return true;
  });
  return names;
}

bool ElfSections::UsesZstd() const {
  bool uses = false;
  ForEachSection(elf_, [&](Elf_Scn* section) {
    GElf_Chdr header;
    uses = gelf_getchdr(section, &header) != nullptr && header.ch_type == kByZstd;
    return !uses;
  });
  return uses;
}

bool DwarfImage::AddSection(size_t name_offset, absl::string_view content,
                            unsigned type) {
  Elf_Scn* section = elf_newscn(elf_);
  GElf_Shdr header;
  Elf_Data* data = section == nullptr ? nullptr : elf_newdata(section);
  if (data == nullptr || gelf_getshdr(section, &header) == nullptr) return false;
  data->d_buf = const_cast<char*>(content.data());
  data->d_size = content.size();
  data->d_type = ELF_T_BYTE;
  data->d_align = 1;
  header.sh_name = static_cast<Elf64_Word>(name_offset);
  header.sh_type = type;
  header.sh_size = content.size();
  return gelf_update_shdr(section, &header) != 0;
}

std::unique_ptr<DwarfImage> DwarfImage::Make(const Sections& sections) {
  std::unique_ptr<DwarfImage> image(new DwarfImage);
  // libelf makes new files only on a descriptor. Nothing is ever written to it.
  const int fd = memfd_create("dwarf", MFD_CLOEXEC);
  if (fd < 0) return nullptr;
  image->elf_ = elf_begin(fd, ELF_C_WRITE, nullptr);
  // Programs have thousands of units, and processes a thousand descriptors.
  if (image->elf_ != nullptr) elf_cntl(image->elf_, ELF_C_FDDONE);
  close(fd);
  if (image->elf_ == nullptr || gelf_newehdr(image->elf_, ELFCLASS64) == nullptr)
    return nullptr;
  std::string& names = image->names_;
  names.push_back('\0');
  std::vector<size_t> offsets;
  for (const auto& [name, content] : sections) {
    offsets.push_back(names.size());
    names.append(name).push_back('\0');
  }
  const size_t own_name = names.size();
  names.append(".shstrtab").push_back('\0');
  for (size_t i = 0; i < sections.size(); ++i) {
    if (!image->AddSection(offsets[i], sections[i].second, SHT_PROGBITS))
      return nullptr;
  }
  if (!image->AddSection(own_name, names, SHT_STRTAB)) return nullptr;
  GElf_Ehdr header;
  if (gelf_getehdr(image->elf_, &header) == nullptr) return nullptr;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_shstrndx = static_cast<Elf64_Half>(sections.size() + 1);
  if (gelf_update_ehdr(image->elf_, &header) == 0) return nullptr;
  image->dwarf_ = dwarf_begin_elf(image->elf_, DWARF_C_READ, nullptr);
  return image->dwarf_ == nullptr ? nullptr : std::move(image);
}

DwarfImage::~DwarfImage() {
  if (dwarf_ != nullptr) dwarf_end(dwarf_);
  if (elf_ != nullptr) elf_end(elf_);
}

DwarfImage::Sections DebugSections(ElfSections* sections) {
  DwarfImage::Sections debug;
  for (const std::string& name : sections->Names()) {
    if (absl::StartsWith(name, ".debug_"))
      debug.emplace_back(name, sections->Find(name));
  }
  return debug;
}

}  // namespace mallogram
