#!/bin/sh
# Fuzzes the trace reader: fuzz.sh SECONDS [BUILD_DIR]
#
# Builds with clang++ (libFuzzer, ASan, UBSan) in a build directory of its own,
# kept for the next time with the corpus that was found. Exit status: 0 nothing
# found, 77 no clang++ here, else a finding, whose input is kept and named.
set -eu
seconds=${1:?usage: fuzz.sh SECONDS [BUILD_DIR]}
build=${2:-${TMPDIR:-/tmp}/mallogram-fuzz}
root=$(cd "$(dirname "$0")/../../.." && pwd)

if ! command -v clang++ >/dev/null; then
  echo "fuzz.sh: skipped: no clang++" >&2
  exit 77
fi
if [ ! -f "$build/build.ninja" ]; then
  CC=clang CXX=clang++ CXXFLAGS="-fsanitize=fuzzer-no-link -D_GLIBCXX_ASSERTIONS" \
    meson setup "$build" "$root" --buildtype=debugoptimized \
    -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true >"$build.log" 2>&1 || {
    cat "$build.log" >&2
    exit 1
  }
fi
ninja -C "$build" tests/analyzer/recording/trace_reader_fuzz tests/analyzer/recording/trace_reader_replay \
  >"$build.log" 2>&1 || { tail -40 "$build.log" >&2; exit 1; }

# Debian's Abseil is built without ASan: what its headers poison, it does not unpoison.
export ASAN_OPTIONS=allow_user_poisoning=0
mkdir -p "$build/corpus" "$build/seeds" "$build/findings"
"$build/tests/analyzer/recording/trace_reader_replay" --seeds "$build/seeds"
# Neither more memory than an honest trace of that size could take, nor a second an
# input: those are findings too.
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
  "$build/tests/analyzer/recording/trace_reader_fuzz" -max_total_time="$seconds" -timeout=10 \
  -rss_limit_mb=2048 -max_len=20000 -print_final_stats=1 \
  -artifact_prefix="$build/findings/" "$build/corpus" "$build/seeds" \
  >"$build/fuzz.log" 2>&1 || {
  tail -60 "$build/fuzz.log" >&2
  echo "fuzz.sh: a finding; its input is in $build/findings" >&2
  exit 1
}
grep -E 'stat::number_of_executed_units|DONE' "$build/fuzz.log"
