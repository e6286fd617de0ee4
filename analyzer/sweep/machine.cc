// Where and when a sweep was run.
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "analyzer/sweep/manifest.h"

namespace mallogram {
namespace {

std::string CpuModel() {
  const absl::StatusOr<std::string> text = ReadTextFile("/proc/cpuinfo");
  if (!text.ok()) return "";
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::StartsWith(line, "model name")) continue;
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) return "";
    return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return "";
}

}  // namespace

std::map<std::string, std::string> DescribeMachine() {
  std::map<std::string, std::string> machine;
  machine["mallogram"] = MALLOGRAM_VERSION;
  struct utsname names;
  if (uname(&names) == 0) {
    machine["host"] = names.nodename;
    machine["kernel"] = absl::StrCat(names.sysname, " ", names.release);
    machine["architecture"] = names.machine;
  }
  const std::string cpu = CpuModel();  // unknown on some architectures
  if (!cpu.empty()) machine["cpu"] = cpu;
  machine["cpus"] = absl::StrCat(sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo info;
  if (sysinfo(&info) == 0) {
    machine["memory_bytes"] =
        absl::StrCat(uint64_t{info.totalram} * uint64_t{info.mem_unit});
  }
  return machine;
}

std::string IsoTime() {
  const time_t now = time(nullptr);
  struct tm parts;
  char text[64];
  if (localtime_r(&now, &parts) == nullptr) return "";
  return std::string(text,
                     strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &parts));
}

}  // namespace mallogram
