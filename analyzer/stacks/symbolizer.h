// Addresses of a trace to names: function, file and line, inlined frames
// included. The only opener of ELF files (with dwarf_lookup).
//
// A module of the trace is found by its path, and used only if its build-id is
// the recorded one (without one: if size and time of the file are); else by
// build-id under the debug directories; else its frames keep module and offset
// alone. Debug information comes from the file, or from a separate file by build-id
// or .gnu_debuglink. What is not here is fetched from the servers of
// DEBUGINFOD_URLS, if the user has set that (debuginfod.h).
//
// Single-threaded. Not cached here: callers ask once an address.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/recording/stored_names.h"
#include "analyzer/stacks/debuginfod.h"
#include "preload/trace/records.h"

namespace mallogram {

// One function at a place. Of several at one address the innermost comes first;
// all but the last are inlined.
struct Frame {
  std::string function;  // demangled; empty: not known
  std::string file;      // empty: not known
  uint32_t line = 0;
  bool inlined = false;
  std::string symbol;  // the name as in the file if that is mangled; else empty
  // Without `symbol`: where the function is declared ("FILE:LINE"), which tells
  // statics of one name from each other; empty: not known.
  std::string origin;
};

// The variable at an address of a module.
struct DataName {
  std::string name;     // demangled; empty: not known
  uint64_t offset = 0;  // of the address in the variable, or, without name, in
  std::string section;  // the section (".bss"; empty: not known either)
};

// What a function returns, if that is a constant string.
struct ReturnedString {
  bool exists = false;    // the module has the function
  bool constant = false;  // and this is what it returns
  std::string text;
};

class Symbolizer {
 public:
  // `debug_dir`: searched like /usr/lib/debug, and before it; may be empty.
  explicit Symbolizer(absl::string_view debug_dir = "");
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // Frames of the call that returns to `offset` (Stack.offset). Never empty; a
  // frame without function if nothing is known.
  std::vector<Frame> Resolve(const Module& module, uint64_t offset);

  // What variable is at `address`, in the ELF file's own addresses.
  DataName ResolveData(const Module& module, uint64_t address);

  // The function is read, never run. REQUIRES: its name is not mangled.
  ReturnedString ResolveReturned(const Module& module, const char* function);

  // Names that a recording brings itself are preferred to those of files, for
  // modules of that recording. nullptr: none. The names must outlive their use.
  void Prefer(const StoredNames* names);

  // Whether the module's file is here.
  bool HasFile(const Module& module);

  // Modules that could not be used as recorded: sentences for the user.
  const std::vector<std::string>& notes() const { return notes_; }
  // Those of modules whose files are here all the same.
  const std::vector<std::string>& file_notes() const { return file_notes_; }

 private:
  class Object;
  Object* Open(const Module& module);
  void TakeNotes();

  const std::string debug_dir_;
  Debuginfod debuginfod_;
  // By path, build-id, and size and time where there is none.
  std::map<std::tuple<std::string, std::string, uint64_t, uint64_t>,
           std::unique_ptr<Object>>
      objects_;
  const StoredNames* stored_ = nullptr;
  std::vector<std::string> notes_, file_notes_;
};

// Bytes to lower-case hexadecimal.
std::string BuildIdText(absl::string_view build_id);

}  // namespace mallogram
