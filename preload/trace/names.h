// kNames: what the addresses of a recording are called, for machines that do not
// have the binaries. Written by `mallogram symbolize`, after everything else;
// readers prefer the names to those of files.
//
// A payload stands for itself, with strings of its own; a recording of many names
// has several. String 0 is empty.
//
//   payload  := strings locations variables returned notes
//   location := module, offset, frames, innermost first
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/trace_format.h"

namespace mallogram {

// Numbers of strings, but for `line` and `inlined`.
struct StoredFrame {
  uint32_t function = 0;  // demangled
  uint32_t symbol = 0;    // mangled
  uint32_t file = 0;
  uint32_t origin = 0;  // "FILE:LINE" of the declaration
  uint32_t line = 0;
  bool inlined = false;
};

struct StoredLocation {
  uint32_t module = 0;  // Module.id
  uint64_t offset = 0;  // as Stack.offset
  std::vector<StoredFrame> frames;
};

struct StoredVariable {
  uint32_t module = 0;
  uint64_t address = 0;  // in the ELF file's own addresses
  uint32_t name = 0;     // 0: not known
  uint64_t offset = 0;   // of the address in the variable, or in the section
  uint32_t section = 0;
};

// What a function returns, if that is a constant string.
struct StoredReturned {
  uint32_t module = 0;
  uint32_t function = 0;
  bool exists = false, constant = false;
  uint32_t text = 0;
};

struct NamesChunk {
  std::vector<std::string> strings;
  std::vector<StoredLocation> locations;
  std::vector<StoredVariable> variables;
  std::vector<StoredReturned> returned;
  std::vector<uint32_t> notes;  // sentences for people
};

std::string EncodeNames(const NamesChunk& names);
// Every number of a string is below strings.size().
absl::StatusOr<NamesChunk> DecodeNames(std::string_view payload);

}  // namespace mallogram
