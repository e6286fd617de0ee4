// Sampling in the recorder: the set-up, and what becomes of a block whose turn it
// may be. All of it off the path of blocks that are not followed.
#include "preload/real.h"
#include "preload/recorder_parts.h"
#include "preload/sampler.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

uint64_t g_seed;

}  // namespace

bool SetUpSampling(uint64_t interval, uint64_t seed) {
  g_recorder.never_samples = interval == 0;
  if (interval == 0) return true;
  if (!g_sampled.Init()) return false;
  // So that free need not ask whether a block is of the start-up arena.
  g_sampled.AlwaysHold(g_bootstrap, kBootstrapBytes);
  g_seed = seed;
  // Without a seed of the user's every process has its own.
  if (seed == 0 && sys::Call(SYS_getrandom, sys::Arg(&g_seed), sizeof(g_seed)) !=
                       sizeof(g_seed)) {
    g_seed = sys::ClockNs(CLOCK_MONOTONIC) ^ static_cast<uint64_t>(sys::GetPid())
                                                 << 32;
  }
  g_recorder.sample_interval = interval;
  return true;
}

void StartDraws(ThreadState* s, uint64_t stream) {
  s->draw.Seed(g_seed, stream);
  s->draw.Renew(g_recorder.sample_interval);
}

bool Follow(ThreadState* s, const void* p, size_t size, const CallerState& caller) {
  SampleDraw* const draw = t_draw;  // the thread's, also of a nested state
  if (!draw->Pass(size)) {
    draw->Renew(g_recorder.sample_interval);
    if (g_sampled.Add(p)) return true;
    CountLost(s, s->walker.Walk(caller, g_recorder.max_depth, &g_recorder.table),
              size);
  }
  Leave(s);
  return false;
}

void RecordMoveOver(const void* p) {
  ThreadState* s = Enter();
  if (s == nullptr) return;
  RecordExtended(s, /*stamp=*/true, PackExtended(Extended::kMoveOver),
                 reinterpret_cast<uint64_t>(p));
  Leave(s);
}

}  // namespace mallogram
