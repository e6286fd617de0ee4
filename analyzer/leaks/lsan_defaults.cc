#include "analyzer/leaks/lsan_defaults.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

// Debian's libraries have none; to look into their tables takes time.
bool IsSystem(absl::string_view path) {
  return absl::StartsWith(path, "/usr/lib/") || absl::StartsWith(path, "/lib/") ||
         absl::StartsWith(path, "/usr/lib64/") || absl::StartsWith(path, "/lib64/");
}

}  // namespace

std::vector<const Module*> LsanModules(const Trace& trace) {
  std::vector<const Module*> modules;
  for (const Module& module : trace.modules) {
    if (!absl::StartsWith(module.path, "/")) continue;
    if (module.path == trace.run.executable) {
      modules.insert(modules.begin(), &module);
    } else if (!IsSystem(module.path)) {
      modules.push_back(&module);
    }
  }
  return modules;
}

void FindLsanDefaults(
    const Trace& trace, Symbolizer* symbolizer, std::vector<std::string>* warnings,
    absl::FunctionRef<void(absl::string_view text, absl::string_view source)> add) {
  for (const Module* module : LsanModules(trace)) {
    const ReturnedString found =
        symbolizer->ResolveReturned(*module, kLsanFunction);
    if (!found.exists) continue;
    if (found.constant) {
      add(found.text, absl::StrCat(module->path, ": ", kLsanFunction));
    } else {
      warnings->push_back(absl::StrCat(module->path, ": ", kLsanFunction,
                                       "() returns no constant, so what it "
                                       "suppresses is not known"));
    }
    return;
  }
}

}  // namespace mallogram
