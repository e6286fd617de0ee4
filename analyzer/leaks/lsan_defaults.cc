#include "analyzer/leaks/lsan_defaults.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

constexpr char kFunction[] = "__lsan_default_suppressions";

// Debian's libraries have none; to look into their tables takes time.
bool IsSystem(absl::string_view path) {
  return absl::StartsWith(path, "/usr/lib/") || absl::StartsWith(path, "/lib/") ||
         absl::StartsWith(path, "/usr/lib64/") || absl::StartsWith(path, "/lib64/");
}

}  // namespace

void FindLsanDefaults(
    const Trace& trace, Symbolizer* symbolizer, std::vector<std::string>* warnings,
    absl::FunctionRef<void(absl::string_view text, absl::string_view source)> add) {
  std::vector<const Module*> modules;
  for (const Module& module : trace.modules) {
    if (!absl::StartsWith(module.path, "/")) continue;
    if (module.path == trace.run.executable) {
      modules.insert(modules.begin(), &module);
    } else if (!IsSystem(module.path)) {
      modules.push_back(&module);
    }
  }
  for (const Module* module : modules) {
    const ReturnedString found = symbolizer->ResolveReturned(*module, kFunction);
    if (!found.exists) continue;
    if (found.constant) {
      add(found.text, absl::StrCat(module->path, ": ", kFunction));
    } else {
      warnings->push_back(absl::StrCat(module->path, ": ", kFunction,
                                       "() returns no constant, so what it "
                                       "suppresses is not known"));
    }
    return;
  }
}

}  // namespace mallogram
