#include "preload/options.h"

#include "preload/environment.h"
#include "preload/leak_sanitizer.h"
#include "preload/sampler.h"

namespace mallogram {
namespace {

Options g_options;
bool g_options_read;

const char* Environment(const char* name) {
  return FindVariable(ProgramEnvironment(), name);
}

uint64_t ParseNumber(const char* text, uint64_t otherwise, uint64_t most) {
  if (text == nullptr || *text == 0) return otherwise;
  uint64_t value = 0;
  for (; *text != 0; ++text) {
    if (*text < '0' || *text > '9' || value > most) return otherwise;
    value = value * 10 + static_cast<uint64_t>(*text - '0');
  }
  return value > most ? otherwise : value;
}

}  // namespace

const Options& ReadOptions() {
  if (g_options_read) return g_options;
  Options options{};
  options.enabled = true;
  options.max_depth =
      static_cast<uint32_t>(ParseNumber(Environment(kEnvMaxDepth), 0, UINT32_MAX));
  options.sample_interval =
      ParseNumber(Environment(kEnvSample), 0, kMaxSampleInterval);
  if (options.sample_interval == 1) options.sample_interval = 0;  // every byte
  options.sample_seed = ParseNumber(Environment(kEnvSampleSeed), 0, UINT32_MAX);
  const char* on_full = Environment(kEnvOnFull);
  options.on_full =
      on_full != nullptr && on_full[0] == 'd' ? OnFull::kDrop : OnFull::kWait;
  const char* verify = Environment(kEnvVerify);
  options.verify = verify != nullptr && verify[0] == '1';
  const char* leak_check = Environment(kEnvLeakCheck);
  options.leak_check = leak_check == nullptr  ? LeakCheckMode::kExit
                       : leak_check[0] == 'n' ? LeakCheckMode::kNone
                       : leak_check[0] == 'f' ? LeakCheckMode::kFull
                                              : LeakCheckMode::kExit;
  // Most blocks are not known then: nothing could be followed.
  if (options.sample_interval != 0) options.leak_check = LeakCheckMode::kNone;
  if (options.leak_check != LeakCheckMode::kNone && HasLeakSanitizer())
    options.leak_check = LeakCheckMode::kForeign;
  const char* mismatches = Environment(kEnvMismatches);
  options.mismatches = mismatches != nullptr && mismatches[0] == '1';
  // Rounded down to a power of two; 0 keeps the geometry's own.
  const auto kib =
      static_cast<uint32_t>(ParseNumber(Environment(kEnvRingKib), 0, UINT32_MAX));
  if (kib >= 4 && kib <= (1u << 20)) {
    options.ring_words = 1u << (31 - __builtin_clz(kib * 128));
  }
  const char* const filters = Environment(kEnvFilters);
  options.filters =
      static_cast<uint32_t>(ParseNumber(filters, kNoCount, UINT32_MAX));
  options.key = ParseNumber(Environment(kEnvKey), 0, kMaxKey);
  const char* path = Environment(kEnvSocket);
  if (path != nullptr) {
    size_t n = 0;
    for (; path[n] != 0 && n + 1 < sizeof(options.socket_path); ++n) {
      options.socket_path[n] = path[n];
    }
    if (path[n] != 0) options.enabled = false;  // no socket has such a name
  }
  g_options = options;
  g_options_read = true;
  return g_options;
}

}  // namespace mallogram
