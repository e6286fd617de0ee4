#include "analyzer/launcher/record_allocator.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace mallogram {
namespace {

class ElfFile {
 public:
  explicit ElfFile(const std::string& path) {
    elf_version(EV_CURRENT);
    fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ >= 0) elf_ = elf_begin(fd_, ELF_C_READ, nullptr);
  }
  ~ElfFile() {
    elf_end(elf_);
    if (fd_ >= 0) close(fd_);
  }
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  // f(section header, its data, entry index) for every entry of the sections of
  // `type`, until f returns true.
  template <typename F>
  bool AnyEntry(uint32_t type, F&& f) const {
    Elf_Scn* section = nullptr;
    while (elf_ != nullptr && (section = elf_nextscn(elf_, section)) != nullptr) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr || header.sh_type != type ||
          header.sh_entsize == 0) {
        continue;
      }
      Elf_Data* data = elf_getdata(section, nullptr);
      if (data == nullptr) continue;
      const size_t count = header.sh_size / header.sh_entsize;
      for (size_t i = 0; i < count; ++i) {
        if (f(header, data, static_cast<int>(i))) return true;
      }
    }
    return false;
  }

  absl::string_view String(const GElf_Shdr& header, size_t offset) const {
    const char* text = elf_strptr(elf_, header.sh_link, offset);
    return text != nullptr ? text : "";
  }

 private:
  int fd_ = -1;
  Elf* elf_ = nullptr;
};

bool ExportsOperatorNew(const std::string& path) {
  const ElfFile file(path);
  return file.AnyEntry(SHT_DYNSYM,
                       [&](const GElf_Shdr& header, Elf_Data* data, int i) {
                         GElf_Sym symbol;
                         return gelf_getsym(data, i, &symbol) != nullptr &&
                                symbol.st_shndx != SHN_UNDEF &&
                                file.String(header, symbol.st_name) == "_Znwm";
                       });
}

bool LinksAllocator(const std::string& program) {
  const ElfFile file(program);
  return file.AnyEntry(
      SHT_DYNAMIC, [&](const GElf_Shdr& header, Elf_Data* data, int i) {
        GElf_Dyn entry;
        if (gelf_getdyn(data, i, &entry) == nullptr || entry.d_tag != DT_NEEDED) {
          return false;
        }
        const absl::string_view name = file.String(header, entry.d_un.d_val);
        for (const char* known : {"jemalloc", "tcmalloc", "mimalloc"}) {
          if (absl::StrContains(name, known)) return true;
        }
        return false;
      });
}

}  // namespace

bool BringsOperatorNew(const std::string& program,
                       const std::vector<std::string>& libraries) {
  for (const std::string& library : libraries) {
    if (ExportsOperatorNew(library)) return true;
  }
  return LinksAllocator(program);
}

}  // namespace mallogram
