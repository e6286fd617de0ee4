#include "analyzer/stacks/symbolizer.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "analyzer/stacks/data_symbols.h"
#include "analyzer/stacks/demangle.h"
#include "analyzer/stacks/dwarf_lookup.h"
#include "analyzer/stacks/elf_image.h"
#include "analyzer/stacks/returned_string.h"
#include "analyzer/stacks/symbol_table.h"

namespace mallogram {
namespace {

constexpr char kSystemDebugDir[] = "/usr/lib/debug";

std::string DebugFile(absl::string_view dir, absl::string_view build_id) {
  const std::string hex = BuildIdText(build_id);
  return absl::StrCat(dir, "/.build-id/", hex.substr(0, 2), "/", hex.substr(2),
                      ".debug");
}

// The debug information of a file that has it compressed by zstd, be it only some
// sections: the linker leaves small ones as they are.
class Decompressed {
 public:
  explicit Decompressed(const std::string& path)
      : file_(path), sections_(file_.elf()) {
    if (file_.elf() != nullptr && sections_.UsesZstd() &&
        !sections_.Find(".debug_info").empty())
      image_ = DwarfImage::Make(DebugSections(&sections_));
  }
  Dwarf* dwarf() const { return image_ == nullptr ? nullptr : image_->dwarf(); }

 private:
  ElfFile file_;
  ElfSections sections_;
  std::unique_ptr<DwarfImage> image_;
};

std::vector<Frame> FramesOf(const StoredNames::Found<StoredLocation>& found) {
  std::vector<Frame> frames;
  for (const StoredFrame& stored : found.record->frames) {
    Frame& frame = frames.emplace_back();
    frame.function = found.Text(stored.function);
    frame.symbol = found.Text(stored.symbol);
    frame.file = found.Text(stored.file);
    frame.origin = found.Text(stored.origin);
    frame.line = stored.line;
    frame.inlined = stored.inlined;
  }
  return frames;
}

}  // namespace

std::string BuildIdText(absl::string_view build_id) {
  return absl::BytesToHexString(build_id);
}

// One ELF file and its debug information, in a Dwfl of its own: files of equal
// paths and different build-ids must not meet.
class Symbolizer::Object {
 public:
  Object(const std::string& debug_dir, Debuginfod* debuginfod)
      : debuginfod_(debuginfod),
        search_path_(debug_dir.empty() ? absl::StrCat(":.debug:", kSystemDebugDir)
                                       : absl::StrCat(":.debug:", debug_dir, ":",
                                                      kSystemDebugDir)),
        search_path_c_(search_path_.data()) {
    callbacks_.find_elf = dwfl_build_id_find_elf;
    callbacks_.find_debuginfo = FindDebugInfo;
    callbacks_.section_address = dwfl_offline_section_address;
    callbacks_.debuginfo_path = &search_path_c_;
  }
  ~Object() {
    lookup_.reset();
    decompressed_.reset();
    symbols_.reset();
    if (dwfl_ != nullptr) dwfl_end(dwfl_);
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  enum class Result { kOk, kMissing, kOtherBuild, kChanged };
  Result Load(const std::string& path, const std::string& build_id,
              const Module& module) {
    // The path is the trace's: it may be a FIFO, which would block, or a device.
    struct stat status;
    if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return Result::kMissing;
    }
    // Without build-id, size and time have to tell another build.
    if (build_id.empty() && module.modified_ns != 0 &&
        (module.file_bytes != static_cast<uint64_t>(status.st_size) ||
         module.modified_ns !=
             static_cast<uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                 static_cast<uint64_t>(status.st_mtim.tv_nsec))) {
      return Result::kChanged;
    }
    dwfl_ = dwfl_begin(&callbacks_);
    if (dwfl_ == nullptr) return Result::kMissing;
    module_ = dwfl_report_offline(dwfl_, "module", path.c_str(), -1);
    dwfl_report_end(dwfl_, nullptr, nullptr);
    if (module_ == nullptr) return Unload(Result::kMissing);
    void** user_data = nullptr;
    dwfl_module_info(module_, &user_data, nullptr, nullptr, nullptr, nullptr,
                     nullptr, nullptr);
    *user_data = this;
    // libdwfl lays a file out where it likes; `bias` leads from the file's own
    // addresses, which traces hold, to its.
    GElf_Addr bias = 0;
    if (dwfl_module_getelf(module_, &bias) == nullptr)
      return Unload(Result::kMissing);
    bias_ = bias;
    const unsigned char* bits = nullptr;
    GElf_Addr where = 0;
    const int length = dwfl_module_build_id(module_, &bits, &where);
    const std::string found(reinterpret_cast<const char*>(bits),
                            length > 0 ? static_cast<size_t>(length) : 0);
    if (!build_id.empty() && found != build_id) return Unload(Result::kOtherBuild);
    return Result::kOk;
  }

  bool usable() const { return module_ != nullptr; }

  std::vector<Frame> Resolve(uint64_t address) {
    std::vector<Frame> frames;
    if (!searched_debug_) {
      // Only now: modules whose frames are never shown need no debug file.
      searched_debug_ = true;
      FindDwarf();
    }
    if (lookup_ != nullptr) {
      frames = lookup_->Resolve(address + bias_ - dwarf_bias_);
    }
    if (frames.empty()) frames.emplace_back();
    if (frames.back().function.empty()) {
      if (symbols_ == nullptr) symbols_ = std::make_unique<SymbolTable>(module_);
      const char* name = symbols_->Find(address + bias_);
      if (name != nullptr) {
        frames.back().function = Demangle(name);
        if (IsMangled(name)) frames.back().symbol = name;
      }
    }
    return frames;
  }

  // Once, what Resolve found missing; else "".
  std::string TakeNote() {
    if (lookup_ == nullptr || told_ || lookup_->missing() == 0) return "";
    told_ = true;
    return absl::StrCat(": its debug information is split, and ",
                        lookup_->first_missing(),
                        lookup_->missing() == 1 ? "" : " and others",
                        " cannot be found: functions from there have no lines");
  }

  DataName ResolveData(uint64_t address) {
    if (data_ == nullptr) data_ = std::make_unique<DataSymbols>(module_);
    return data_->Find(address + bias_);
  }

  ReturnedString ResolveReturned(const char* function) {
    return ReadReturnedString(module_, function);
  }

 private:
  // libdwfl's callback: first as it would itself, then from servers.
  static int FindDebugInfo(Dwfl_Module* module, void** user_data, const char* name,
                           Dwarf_Addr base, const char* file, const char* debuglink,
                           GElf_Word checksum, char** path) {
    const int found = dwfl_standard_find_debuginfo(module, user_data, name, base,
                                                   file, debuglink, checksum, path);
    const unsigned char* bits = nullptr;
    GElf_Addr where = 0;
    const int length = found >= 0 ? 0 : dwfl_module_build_id(module, &bits, &where);
    if (length <= 0) return found;
    const std::string fetched =
        static_cast<Object*>(*user_data)
            ->debuginfod_->Find(
                Debuginfod::What::kDebugInfo,
                absl::string_view(reinterpret_cast<const char*>(bits),
                                  static_cast<size_t>(length)),
                file == nullptr ? "" : file);
    if (fetched.empty()) return found;
    *path = strdup(fetched.c_str());
    return open(fetched.c_str(), O_RDONLY | O_CLOEXEC);
  }

  void FindDwarf() {
    Dwarf_Addr bias = 0;
    Dwarf* dwarf = dwfl_module_getdwarf(module_, &bias);
    std::vector<std::string> paths;
    const char *program = nullptr, *debug = nullptr;
    dwfl_module_info(module_, nullptr, nullptr, nullptr, nullptr, nullptr, &program,
                     &debug);
    for (const char* path : {program, debug}) {
      if (path != nullptr) paths.emplace_back(path);
    }
    dwarf_bias_ = bias;
    for (const std::string& path : paths) {
      decompressed_ = std::make_unique<Decompressed>(path);
      if (decompressed_->dwarf() == nullptr) continue;
      dwarf = decompressed_->dwarf();
      dwarf_bias_ = bias_;  // addresses are the file's
      break;
    }
    if (dwarf != nullptr)
      lookup_ = std::make_unique<DwarfLookup>(dwarf, std::move(paths));
  }

  Result Unload(Result result) {
    dwfl_end(dwfl_);
    dwfl_ = nullptr;
    module_ = nullptr;
    return result;
  }

  Debuginfod* const debuginfod_;
  std::string search_path_;
  char* search_path_c_;
  Dwfl_Callbacks callbacks_ = {};
  Dwfl* dwfl_ = nullptr;
  Dwfl_Module* module_ = nullptr;
  uint64_t bias_ = 0, dwarf_bias_ = 0;
  bool searched_debug_ = false, told_ = false;
  std::unique_ptr<Decompressed> decompressed_;
  std::unique_ptr<DwarfLookup> lookup_;
  std::unique_ptr<SymbolTable> symbols_;
  std::unique_ptr<DataSymbols> data_;
};

Symbolizer::Symbolizer(absl::string_view debug_dir) : debug_dir_(debug_dir) {}

Symbolizer::~Symbolizer() = default;

Symbolizer::Object* Symbolizer::Open(const Module& module) {
  std::unique_ptr<Object>& slot = objects_[{module.path, module.build_id,
                                            module.file_bytes, module.modified_ns}];
  if (slot != nullptr) return slot.get();
  slot = std::make_unique<Object>(debug_dir_, &debuginfod_);
  // "[vdso]" and the like are no files.
  if (module.path.empty() || module.path[0] != '/') return slot.get();

  const Object::Result result = slot->Load(module.path, module.build_id, module);
  if (result == Object::Result::kOk) return slot.get();
  if (module.build_id.size() > 1) {
    for (const std::string& dir : {debug_dir_, std::string(kSystemDebugDir)}) {
      if (dir.empty()) continue;
      if (slot->Load(DebugFile(dir, module.build_id), module.build_id, module) ==
          Object::Result::kOk) {
        return slot.get();
      }
    }
    const std::string fetched = debuginfod_.Find(Debuginfod::What::kExecutable,
                                                 module.build_id, module.path);
    TakeNotes();
    if (!fetched.empty() &&
        slot->Load(fetched, module.build_id, module) == Object::Result::kOk) {
      return slot.get();
    }
  }
  notes_.push_back(absl::StrCat(
      module.path,
      result == Object::Result::kOtherBuild
          ? " is another build than the recorded one"
      : result == Object::Result::kChanged
          ? " has been changed since the recording (it has no build-id; its size "
            "or time differ)"
          : " cannot be read here",
      module.build_id.empty()
          ? ""
          : absl::StrCat(" (build-id ", BuildIdText(module.build_id), ")"),
      ": its frames are shown as module+offset"));
  return slot.get();
}

void Symbolizer::TakeNotes() {
  for (std::string& note : debuginfod_.TakeNotes())
    notes_.push_back(std::move(note));
}

void Symbolizer::Prefer(const StoredNames* names) {
  stored_ = names == nullptr || names->empty() ? nullptr : names;
  if (stored_ == nullptr) return;
  for (std::string& note : stored_->Notes()) {
    if (!absl::c_linear_search(notes_, note)) notes_.push_back(std::move(note));
  }
}

bool Symbolizer::HasFile(const Module& module) { return Open(module)->usable(); }

std::vector<Frame> Symbolizer::Resolve(const Module& module, uint64_t offset) {
  if (stored_ != nullptr) {
    const auto found = stored_->FindLocation(module.id, offset);
    if (found.record != nullptr) return FramesOf(found);
  }
  Object* object = Open(module);
  // The return address may be the first byte of the next line, or function.
  if (!object->usable() || offset == 0) return {Frame()};
  std::vector<Frame> frames = object->Resolve(offset - 1);
  TakeNotes();
  if (const std::string note = object->TakeNote(); !note.empty())
    file_notes_.push_back(notes_.emplace_back(absl::StrCat(module.path, note)));
  return frames;
}

DataName Symbolizer::ResolveData(const Module& module, uint64_t address) {
  if (stored_ != nullptr) {
    const auto found = stored_->FindVariable(module.id, address);
    if (found.record != nullptr) {
      return {found.Text(found.record->name), found.record->offset,
              found.Text(found.record->section)};
    }
  }
  Object* object = Open(module);
  return object->usable() ? object->ResolveData(address) : DataName();
}

ReturnedString Symbolizer::ResolveReturned(const Module& module,
                                           const char* function) {
  if (stored_ != nullptr) {
    const auto found = stored_->FindReturned(module.id, function);
    if (found.record != nullptr) {
      return {found.record->exists, found.record->constant,
              found.Text(found.record->text)};
    }
  }
  Object* object = Open(module);
  return object->usable() ? object->ResolveReturned(function) : ReturnedString();
}

}  // namespace mallogram
