// Precompiled for collector and analyzer: what nearly every file there includes,
// and what costs the compiler five times as much as the file itself. A file still
// includes what it uses: meson setup -Db_pch=false shows what was forgotten.
#ifndef PRELOAD_TRACE_PCH_COMMON_PCH_H_
#define PRELOAD_TRACE_PCH_COMMON_PCH_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"

#endif  // PRELOAD_TRACE_PCH_COMMON_PCH_H_
