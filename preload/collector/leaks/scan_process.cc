#include "preload/collector/leaks/scan_process.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "preload/collector/leaks/address_space.h"
#include "preload/collector/leaks/leak_scan.h"
#include "preload/collector/leaks/operators.h"
#include "preload/collector/leaks/process_memory.h"
#include "preload/collector/leaks/process_modules.h"
#include "preload/collector/leaks/process_roots.h"

namespace mallogram {
namespace {

class ProcessFacts final : public leaks::ProgramFacts {
 public:
  ProcessFacts(const std::vector<leaks::ProcessModule>& modules,
               const HeapModel* model, leaks::Operators* operators)
      : ranges_(modules), model_(model), operators_(operators) {}
  leaks::MadeByArrayNew ArrayNew(uint32_t slot) const override {
    return operators_->Of(model_->StackAt(slot));
  }
  bool IsConstant(uint64_t address) const override {
    return ranges_.IsConstant(address);
  }
  bool IsCode(uint64_t address) const override { return ranges_.IsCode(address); }

 private:
  const leaks::ModuleRanges ranges_;
  const HeapModel* const model_;
  leaks::Operators* const operators_;
};

}  // namespace

absl::StatusOr<LeakCheck> ScanProcess(const ScanRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  LeakCheck check;
  if (request.model->live_blocks() == 0) {
    check.classified = true;
    return check;
  }
  const std::vector<leaks::Mapping> maps = leaks::ReadMaps(request.pid);
  if (maps.empty()) {
    return absl::UnavailableError(
        absl::StrCat("/proc/", request.pid, "/maps could not be read"));
  }
  leaks::ProcessMemory memory(request.pid, &maps);
  memory.SetControl(request.control);
  const bool readable =
      std::any_of(maps.begin(), maps.end(), [&](const leaks::Mapping& mapping) {
        char byte;
        return mapping.readable && memory.Read(mapping.start, &byte, 1) == 1;
      });
  if (!readable) {
    return absl::PermissionDeniedError(
        absl::StrCat("the memory of process ", request.pid, " could not be read"));
  }
  const std::vector<leaks::ProcessModule> modules =
      leaks::FindModules(maps, &memory);
  leaks::Roots roots = leaks::FindRoots(request, maps, modules, &memory);
  leaks::Operators operators(&modules, &memory, &request.frames);
  const ProcessFacts facts(modules, request.model, &operators);

  leaks::ScanInput input;
  input.live = request.live;
  input.model = request.model;
  input.memory = &memory;
  input.facts = &facts;
  input.ranges = std::move(roots.ranges);
  input.words = std::move(roots.words);
  input.ignored = request.ignored;
  for (const InheritedBlock& block : request.inherited) {
    input.inherited.push_back({block.address, block.size});
  }
  leaks::LeakScan scan(&input);
  scan.Run();
  if (!memory.Stopped()) scan.Fill(&check);
  if (memory.Stopped()) return absl::CancelledError("the process was let go");
  check.warnings = std::move(roots.warnings);
  if (scan.marker().unread_bytes() != 0) {
    check.warnings.push_back(absl::StrCat(scan.marker().unread_bytes(),
                                          " bytes of blocks could not be read"));
  }
  if (memory.unknown_bytes() != 0) {
    check.warnings.push_back(
        absl::StrCat(memory.unknown_bytes(),
                     " bytes were not looked at: it is not told what of them is in "
                     "memory"));
  }
  for (LeakGroup& group : check.groups) {
    uint32_t& module = group.root.module;
    if (module == 0) continue;
    module = request.module_id ? request.module_id(modules[module - 1].loaded) : 0;
  }
  check.scan_ns =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                std::chrono::steady_clock::now() - start)
                                .count());
  return check;
}

}  // namespace mallogram
