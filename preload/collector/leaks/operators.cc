#include "preload/collector/leaks/operators.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace mallogram::leaks {
namespace {

constexpr size_t kMaxDynamic = 512;
constexpr uint64_t kMaxSymbols = 1 << 20;
constexpr uint64_t kMaxStrings = 64 << 20;
// operator new, operator new[], who called that; one more for what wraps malloc.
constexpr size_t kFrames = 4;

// The number of symbols, by the hash table that the loader searches.
uint64_t CountSymbols(uint64_t gnu_hash, uint64_t hash, Memory* memory) {
  uint32_t header[4];
  if (hash != 0 && memory->Read(hash, header, 8) == 8) return header[1];
  if (gnu_hash == 0 ||
      memory->Read(gnu_hash, header, sizeof(header)) != sizeof(header))
    return 0;
  const uint64_t buckets_at = gnu_hash + sizeof(header) + uint64_t{header[2]} * 8;
  if (header[0] > kMaxSymbols) return 0;
  std::vector<uint32_t> buckets(header[0]);
  if (memory->Read(buckets_at, buckets.data(), buckets.size() * 4) !=
      buckets.size() * 4) {
    return 0;
  }
  uint64_t last = 0;
  for (const uint32_t bucket : buckets) last = std::max<uint64_t>(last, bucket);
  if (last < header[1]) return header[1];
  const uint64_t chains_at = buckets_at + buckets.size() * 4;
  for (; last < kMaxSymbols; ++last) {
    uint32_t chain;
    if (memory->Read(chains_at + 4 * (last - header[1]), &chain, 4) != 4) return 0;
    if ((chain & 1) != 0) return last + 1;
  }
  return 0;
}

}  // namespace

void Operators::LoadModule(const ProcessModule& module) {
  if (module.dynamic == 0) return;
  std::vector<Elf64_Dyn> dynamic(kMaxDynamic);
  dynamic.resize(memory_->Read(module.dynamic, dynamic.data(),
                               dynamic.size() * sizeof(Elf64_Dyn)) /
                 sizeof(Elf64_Dyn));
  uint64_t symbols_at = 0, strings_at = 0, string_bytes = 0, hash = 0, gnu_hash = 0;
  const LoadedModule& loaded = module.loaded;
  for (const Elf64_Dyn& entry : dynamic) {
    if (entry.d_tag == DT_NULL) break;
    uint64_t value = entry.d_un.d_val;
    if (entry.d_tag == DT_STRSZ) string_bytes = value;
    // The loader has made addresses of these, in most modules.
    if (value < loaded.start || value >= loaded.end) value += loaded.bias;
    if (entry.d_tag == DT_SYMTAB) symbols_at = value;
    if (entry.d_tag == DT_STRTAB) strings_at = value;
    if (entry.d_tag == DT_HASH) hash = value;
    if (entry.d_tag == DT_GNU_HASH) gnu_hash = value;
  }
  if (symbols_at == 0 || strings_at == 0 || string_bytes > kMaxStrings) return;
  const uint64_t count = CountSymbols(gnu_hash, hash, memory_);
  if (count == 0 || count > kMaxSymbols) return;
  std::vector<Elf64_Sym> symbols(count);
  symbols.resize(memory_->Read(symbols_at, symbols.data(),
                               symbols.size() * sizeof(Elf64_Sym)) /
                 sizeof(Elf64_Sym));
  std::vector<char> strings(string_bytes + 1);
  strings.resize(memory_->Read(strings_at, strings.data(), string_bytes) + 1);
  strings.back() = 0;
  for (const Elf64_Sym& symbol : symbols) {
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
        symbol.st_name >= strings.size() - 1) {
      continue;
    }
    const std::string_view name(strings.data() + symbol.st_name);
    const bool array = name.starts_with("_Zna");
    if (!array && !name.starts_with("_Znw")) continue;
    const uint64_t start = loaded.bias + symbol.st_value;
    ranges_.push_back({start, start + std::max<uint64_t>(symbol.st_size, 1),
                       array ? Kind::kArrayNew : Kind::kNew});
  }
}

void Operators::Load() {
  loaded_ = true;
  for (const ProcessModule& module : *modules_) LoadModule(module);
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
}

const Operators::Range* Operators::Find(uint64_t address) const {
  auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), address,
      [](uint64_t a, const Range& range) { return a < range.start; });
  if (after == ranges_.begin()) return nullptr;
  --after;
  return address < after->end ? &*after : nullptr;
}

// What the call before `return_address` calls, through a PLT entry if need be; 0:
// it can't be told.
uint64_t Operators::Callee(uint64_t return_address) const {
  unsigned char code[6];
  if (memory_->Read(return_address - 6, code, 6) != 6) return 0;
  const auto offset_at = [](const unsigned char* at) {
    int32_t offset;
    std::memcpy(&offset, at, 4);
    return static_cast<uint64_t>(int64_t{offset});
  };
  const auto word_at = [this](uint64_t address) {
    uint64_t word = 0;
    return memory_->Read(address, &word, 8) == 8 ? word : 0;
  };
  if (code[0] == 0xff && code[1] == 0x15) {  // call *offset(%rip)
    const uint64_t callee = word_at(return_address + offset_at(code + 2));
    if (Find(callee) != nullptr) return callee;
  }
  if (code[1] != 0xe8) return 0;  // call offset
  const uint64_t target = return_address + offset_at(code + 2);
  if (Find(target) != nullptr) return target;
  // A PLT entry: [endbr64] [bnd] jmp *offset(%rip).
  unsigned char entry[16];
  if (memory_->Read(target, entry, sizeof(entry)) != sizeof(entry)) return target;
  for (size_t i = 0; i + 6 <= sizeof(entry) && i <= 5; ++i) {
    if (entry[i] != 0xff || entry[i + 1] != 0x25) continue;
    return word_at(target + i + 6 + offset_at(entry + i + 2));
  }
  return target;
}

MadeByArrayNew Operators::Judge(uint32_t stack) {
  if (!*frames_) return MadeByArrayNew::kUnknown;
  if (!loaded_) Load();
  // A program that has libstdc++ linked in and no symbols of it, or one in C.
  if (ranges_.empty()) return MadeByArrayNew::kUnknown;
  uint64_t pcs[kFrames];
  const size_t count = (*frames_)(stack, pcs, kFrames);
  if (count == 0) return MadeByArrayNew::kUnknown;
  for (size_t i = 0; i < count; ++i) {
    const Range* const in = Find(pcs[i] - 1);
    if (in != nullptr && in->kind == Kind::kArrayNew) return MadeByArrayNew::kYes;
    const uint64_t callee = Callee(pcs[i]);
    const Range* const called = Find(callee);
    if (called != nullptr && called->kind == Kind::kArrayNew) {
      return MadeByArrayNew::kYes;
    }
    if (in != nullptr) continue;  // operator new: who called it?
    if (called != nullptr) return MadeByArrayNew::kNo;
    // The caller of operator new, by a call that can't be read; or of malloc.
    return i > 0 && callee == 0 ? MadeByArrayNew::kUnknown : MadeByArrayNew::kNo;
  }
  return MadeByArrayNew::kUnknown;
}

MadeByArrayNew Operators::Of(uint32_t stack) {
  const auto known = known_.find(stack);
  if (known != known_.end()) return known->second;
  const MadeByArrayNew made = Judge(stack);
  known_[stack] = made;
  return made;
}

}  // namespace mallogram::leaks
