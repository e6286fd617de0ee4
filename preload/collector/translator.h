// The image's stack nodes and modules → the file's dense ids, in order of first
// reference, parents first.
//
// The program may scribble over any of it: every id is checked, and a node's
// parent must be older (have a smaller id), as it always is, so a walk to the root
// ends. What makes no sense becomes kRootUnknown. A node is read once.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "preload/collector/image_view.h"
#include "preload/collector/leaks/loaded_module.h"
#include "preload/collector/stamp_clock.h"
#include "preload/trace/mapped_array.h"
#include "preload/trace/records.h"

namespace mallogram {

class Translator {
 public:
  // `pid`: whose modules they are, to complete relative names; 0: not known.
  Translator(const ImageView* image, const StampClock* clock, pid_t pid = 0)
      : image_(image), clock_(clock), pid_(pid) {}

  // The file id of the image's stack id.
  uint32_t Stack(uint32_t id) {
    const uint32_t known = file_ids_.Get(id);
    return known != 0 || id == kRootComplete ? known : Translate(id);
  }
  // How the stack of a file id ends: a root.
  uint32_t RootOf(uint32_t file_id) const {
    return file_id < kFirstStackId ? file_id : roots_[file_id - kFirstStackId];
  }
  uint32_t stack_count() const { return static_cast<uint32_t>(roots_.size()); }

  // The innermost return addresses of a file id's stack, at most `max`, absolute;
  // how many there are. Read from the image: good as long as the program did not
  // scribble.
  size_t Frames(uint32_t file_id, uint64_t* pcs, size_t max) const;
  // The file id of a module that is loaded now; one of which no frame has come yet
  // becomes known by it. 0: no such module can be told.
  uint32_t ModuleId(const LoadedModule& loaded, uint64_t now_ns);

  // Looks for modules that were unloaded since.
  void SweepModules();

  // What the file does not know yet; empties it. Empty: nothing.
  std::string TakeModules();
  std::string TakeModuleFiles();
  std::string TakeStacks();

 private:
  uint32_t Translate(uint32_t id);
  void NoteFile(const mallogram::Module& module);
  // A frame of the library's own, between the program and libstdc++'s operator new:
  // no business of who reads the stack.
  bool IsOurs(uint64_t pc) const {
    const ImageHeader& header = *image_->header();
    return pc - header.library_start < header.library_end - header.library_start;
  }
  uint32_t Module(uint32_t index);
  std::string WholePath(const ImageView::ModuleFacts& facts) const;

  const ImageView* const image_;
  const StampClock* const clock_;
  const pid_t pid_;
  SparseArray<uint32_t> file_ids_;   // by image id; 0: not yet
  std::vector<uint8_t> roots_;       // by file id - kFirstStackId
  std::vector<uint32_t> image_ids_;  // likewise
  std::vector<uint32_t> chain_;      // scratch
  uint32_t first_pending_ = kFirstStackId;
  std::vector<mallogram::Stack> pending_stacks_;

  SparseArray<uint32_t> module_ids_;  // by image index; 0: not yet
  struct Known {
    uint32_t index;  // in the image, or kNoModule
    mallogram::Module module;
  };
  std::vector<Known> modules_;             // file id - 1
  std::vector<uint32_t> pending_modules_;  // positions in modules_
  std::vector<ModuleFile> pending_files_;
};

}  // namespace mallogram
