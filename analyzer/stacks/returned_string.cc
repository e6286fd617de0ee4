#include "analyzer/stacks/returned_string.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace mallogram {
namespace {

constexpr size_t kLongestFunction = 64, kLongestText = 1 << 20;

// The file's bytes by its own addresses.
class Image {
 public:
  explicit Image(Elf* elf) : elf_(elf) {}

  // What follows `address` in its section; empty: nothing is stored there.
  absl::string_view At(uint64_t address) const {
    for (Elf_Scn* section = nullptr;
         (section = elf_nextscn(elf_, section)) != nullptr;) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr ||
          (header.sh_flags & SHF_ALLOC) == 0 || header.sh_type == SHT_NOBITS ||
          address - header.sh_addr >= header.sh_size) {
        continue;
      }
      const Elf_Data* data = elf_rawdata(section, nullptr);
      if (data == nullptr || data->d_buf == nullptr) return "";
      const uint64_t offset = address - header.sh_addr;
      if (offset >= data->d_size) return "";
      return absl::string_view(static_cast<const char*>(data->d_buf) + offset,
                               data->d_size - offset);
    }
    return "";
  }

  // The pointer that is stored at `address` once the file is loaded: what a
  // relocation says, else what is there.
  std::optional<uint64_t> Pointer(uint64_t address) const {
    for (Elf_Scn* section = nullptr;
         (section = elf_nextscn(elf_, section)) != nullptr;) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_RELA)
        continue;
      Elf_Data* data = elf_getdata(section, nullptr);
      const size_t count = data == nullptr || header.sh_entsize == 0
                               ? 0
                               : data->d_size / header.sh_entsize;
      for (size_t i = 0; i < count; ++i) {
        GElf_Rela entry;
        if (gelf_getrela(data, static_cast<int>(i), &entry) == nullptr) break;
        if (entry.r_offset != address) continue;
        if (GELF_R_TYPE(entry.r_info) != R_X86_64_RELATIVE) return std::nullopt;
        return static_cast<uint64_t>(entry.r_addend);
      }
    }
    const absl::string_view bytes = At(address);
    if (bytes.size() < sizeof(uint64_t)) return std::nullopt;
    uint64_t value;
    memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

 private:
  Elf* const elf_;
};

// Follows the function's instructions from begin to `ret`; the few that may stand
// there, by their bytes.
class Reader {
 public:
  Reader(const Image& image, uint64_t address)
      : image_(image), address_(address), code_(image.At(address)) {
    code_ = code_.substr(0, std::min(code_.size(), kLongestFunction));
  }

  std::optional<uint64_t> Result() {
    while (!code_.empty()) {
      if (Take("\xc3")) return result_;  // ret
      // endbr64; push rbp; mov rbp,rsp; pop rbp; leave; nop
      if (Take("\xf3\x0f\x1e\xfa") || Take("\x55") || Take("\x48\x89\xe5") ||
          Take("\x5d") || Take("\xc9") || Take("\x90")) {
        continue;
      }
      if (Take("\x48\x8d\x05")) {  // lea rax,[rip+x]
        const std::optional<int32_t> offset = TakeNumber();
        if (!offset) return std::nullopt;
        result_ = address_ + static_cast<uint64_t>(static_cast<int64_t>(*offset));
      } else if (Take("\x48\x8b\x05")) {  // mov rax,[rip+x]
        const std::optional<int32_t> offset = TakeNumber();
        if (!offset) return std::nullopt;
        result_ = image_.Pointer(
            address_ + static_cast<uint64_t>(static_cast<int64_t>(*offset)));
      } else if (Take("\x48\xc7\xc0") || Take("\xb8")) {  // mov rax,x; mov eax,x
        const std::optional<int32_t> value = TakeNumber();
        if (!value) return std::nullopt;
        result_ = static_cast<uint32_t>(*value);
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  bool Take(absl::string_view bytes) {
    if (code_.substr(0, bytes.size()) != bytes) return false;
    code_.remove_prefix(bytes.size());
    address_ += bytes.size();
    return true;
  }
  std::optional<int32_t> TakeNumber() {
    int32_t number;
    if (code_.size() < sizeof number) return std::nullopt;
    memcpy(&number, code_.data(), sizeof number);
    code_.remove_prefix(sizeof number);
    address_ += sizeof number;
    return number;
  }

  const Image& image_;
  uint64_t address_;  // of code_
  absl::string_view code_;
  std::optional<uint64_t> result_;
};

}  // namespace

ReturnedString ReadReturnedString(Dwfl_Module* module, const char* function) {
  ReturnedString found;
  GElf_Addr bias = 0;
  Elf* elf = dwfl_module_getelf(module, &bias);
  if (elf == nullptr) return found;
  const int count = dwfl_module_getsymtab(module);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    GElf_Addr address = 0;
    GElf_Word section = SHN_UNDEF;
    const char* name = dwfl_module_getsym_info(module, i, &symbol, &address,
                                               &section, nullptr, nullptr);
    if (name == nullptr || section == SHN_UNDEF || strcmp(name, function) != 0)
      continue;
    found.exists = true;
    const Image image(elf);
    const std::optional<uint64_t> result = Reader(image, address - bias).Result();
    if (!result) return found;
    absl::string_view text = image.At(*result);
    text = text.substr(0, kLongestText);
    const size_t end = text.find('\0');
    if (end == absl::string_view::npos) return found;
    found.constant = true;
    found.text = std::string(text.substr(0, end));
    return found;
  }
  return found;
}

}  // namespace mallogram
