#include "analyzer/symbolize/names_of.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "analyzer/leaks/lsan_defaults.h"
#include "preload/trace/names.h"

namespace mallogram {
namespace {

// A chunk is decoded as a whole; damage costs one.
constexpr size_t kLocationsInChunk = 16384;

class ChunkWriter {
 public:
  ChunkWriter() { Begin(); }

  void Add(uint32_t module, uint64_t offset, const std::vector<Frame>& frames) {
    StoredLocation& location = chunk_.locations.emplace_back();
    location.module = module;
    location.offset = offset;
    for (const Frame& frame : frames) {
      location.frames.push_back({Number(frame.function), Number(frame.symbol),
                                 Number(frame.file), Number(frame.origin),
                                 frame.line, frame.inlined});
    }
    if (chunk_.locations.size() == kLocationsInChunk) End();
  }
  void Add(uint32_t module, uint64_t address, const DataName& data) {
    chunk_.variables.push_back(
        {module, address, Number(data.name), data.offset, Number(data.section)});
  }
  void Add(uint32_t module, const char* function, const ReturnedString& returned) {
    chunk_.returned.push_back({module, Number(function), returned.exists,
                               returned.constant, Number(returned.text)});
  }
  void AddNote(const std::string& note) { chunk_.notes.push_back(Number(note)); }

  std::vector<std::string> Take() {
    End();
    return std::move(payloads_);
  }

 private:
  void Begin() {
    chunk_ = NamesChunk();
    numbers_.clear();
    Number("");
  }
  void End() {
    if (chunk_.locations.empty() && chunk_.variables.empty() &&
        chunk_.returned.empty() && chunk_.notes.empty()) {
      return;
    }
    payloads_.push_back(EncodeNames(chunk_));
    Begin();
  }
  uint32_t Number(const std::string& text) {
    const auto [entry, is_new] =
        numbers_.try_emplace(text, static_cast<uint32_t>(chunk_.strings.size()));
    if (is_new) chunk_.strings.push_back(text);
    return entry->second;
  }

  NamesChunk chunk_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;
  std::vector<std::string> payloads_;
};

size_t Known(const std::vector<Frame>& frames) {
  size_t known = 0;
  for (const Frame& frame : frames)
    known += (frame.function.empty() ? 0 : 1) + (frame.line == 0 ? 0 : 1);
  return known;
}

// Calls f(module, offset) once an address, in the order of the stacks.
template <typename F>
void ForEachAddress(const Trace& trace, F f) {
  absl::flat_hash_set<std::pair<uint32_t, uint64_t>> seen;
  uint64_t found = 0;
  for (uint32_t id = kFirstStackId; found < trace.stack_count && id < kMaxStackIds;
       ++id) {
    Stack stack;
    if (!trace.FindStack(id, &stack)) continue;
    ++found;
    if (seen.insert(std::pair(stack.module, stack.offset)).second)
      f(stack.module, stack.offset);
  }
}

}  // namespace

NamesOfTrace NamesOf(const Trace& trace, Symbolizer* symbolizer,
                     ProgressFn progress) {
  NamesOfTrace result;
  ChunkWriter writer;
  absl::flat_hash_set<uint32_t> modules;
  ForEachAddress(trace, [&](uint32_t id, uint64_t offset) {
    progress(result.addresses++, trace.stack_count);
    const Module* module = trace.FindModule(id);
    if (module == nullptr) return;
    const bool stored = trace.names.FindLocation(id, offset).record != nullptr;
    std::vector<Frame> frames;
    if (symbolizer->HasFile(*module)) {
      symbolizer->Prefer(nullptr);
      frames = symbolizer->Resolve(*module, offset);
    }
    if (stored) {
      symbolizer->Prefer(&trace.names);
      std::vector<Frame> known = symbolizer->Resolve(*module, offset);
      if (frames.empty() || Known(known) > Known(frames)) frames = std::move(known);
    }
    if (frames.empty()) return;
    writer.Add(id, offset, frames);
    ++result.named;
    modules.insert(id);
  });
  result.modules = modules.size();
  symbolizer->Prefer(&trace.names);
  absl::flat_hash_set<std::pair<uint32_t, uint64_t>> variables;
  for (const LeakCheck& check : trace.leak_checks) {
    for (const LeakGroup& group : check.groups) {
      const Module* module = trace.FindModule(group.root.module);
      if (module == nullptr || group.root.kind != RootKind::kGlobal) continue;
      if (!variables.emplace(module->id, group.root.address).second) continue;
      const bool stored =
          trace.names.FindVariable(module->id, group.root.address).record !=
          nullptr;
      if (!stored && !symbolizer->HasFile(*module)) continue;
      writer.Add(module->id, group.root.address,
                 symbolizer->ResolveData(*module, group.root.address));
    }
  }
  for (const Module* module : LsanModules(trace)) {
    const bool stored =
        trace.names.FindReturned(module->id, kLsanFunction).record != nullptr;
    if (!stored && !symbolizer->HasFile(*module)) continue;
    writer.Add(module->id, kLsanFunction,
               symbolizer->ResolveReturned(*module, kLsanFunction));
  }
  for (const std::string& note : symbolizer->file_notes()) writer.AddNote(note);
  for (const std::string& note : trace.names.Notes()) {
    if (!absl::c_linear_search(symbolizer->file_notes(), note))
      writer.AddNote(note);
  }
  result.payloads = writer.Take();
  return result;
}

}  // namespace mallogram
