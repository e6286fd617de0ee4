// The least reader there is: whole chunks from the start, events folded again.
#pragma once

#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "preload/trace/chunk_io.h"
#include "preload/trace/heap_model.h"
#include "preload/trace/leaks.h"
#include "preload/trace/marks.h"
#include "preload/trace/mismatches.h"
#include "preload/trace/pools.h"
#include "preload/trace/records.h"
#include "preload/trace/summary.h"

namespace mallogram {

struct ReadTrace {
  std::vector<ChunkType> chunks;
  std::vector<uint64_t> chunk_ends;  // file offsets
  RunInfo run;
  std::map<uint32_t, Module> modules;
  std::vector<Stack> stacks;  // from kFirstStackId on
  std::map<uint32_t, Thread> threads;
  std::vector<Sample> samples;
  std::vector<Event> events;
  HeapModel model;  // of the events
  std::vector<LeakCheck> leak_checks;
  Mismatches mismatches;
  std::vector<Pool> pools;
  std::optional<Summary> summary;
  std::vector<IndexEntry> index;
  bool trailer = false;
  std::string error;  // the first thing that is wrong; a cut end is not wrong
};

inline std::string FileBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// By value: value() of a temporary would die before a loop over it begins.
template <typename T>
T Value(absl::StatusOr<T> result) {
  return *std::move(result);
}

inline void ReadPayload(ChunkType type, const std::string& payload, ReadTrace* t) {
  const auto fail = [t](const std::string& what) {
    if (t->error.empty()) t->error = what;
  };
  switch (type) {
    case ChunkType::kRun:
      t->run = DecodeRunInfo(payload).value();
      return;
    case ChunkType::kModules:
      for (const Module& m : Value(DecodeModules(payload))) t->modules[m.id] = m;
      return;
    case ChunkType::kStacks: {
      uint32_t first = 0;
      for (const Stack& stack : Value(DecodeStacks(payload, &first))) {
        if (first++ != t->stacks.size() + kFirstStackId)
          fail("stack ids are not dense");
        if (stack.module != 0 && t->modules.count(stack.module) == 0) {
          fail("a stack's module comes after it");
        }
        t->stacks.push_back(stack);
      }
      return;
    }
    case ChunkType::kThreads:
      for (const Thread& thread : Value(DecodeThreads(payload))) {
        t->threads[thread.index] = thread;
      }
      return;
    case ChunkType::kEvents: {
      EventDecoder decoder;
      if (!decoder.Init(payload).ok()) fail("events do not decode");
      if (decoder.first_event() != t->events.size()) fail("events are missing");
      Event event;
      while (decoder.Next(&event)) {
        if (event.stack >= t->stacks.size() + kFirstStackId)
          fail("stack comes late");
        if (t->threads.count(event.thread) == 0) fail("thread comes late");
        if (!t->events.empty() && event.time_ns < t->events.back().time_ns) {
          fail("time falls");
        }
        if (!t->model.Apply(event)) fail("event makes no sense");
        t->events.push_back(event);
      }
      if (!decoder.status().ok()) fail("events are malformed");
      return;
    }
    case ChunkType::kSamples:
      for (const Sample& s : Value(DecodeSamples(payload))) t->samples.push_back(s);
      return;
    case ChunkType::kSummary:
      t->summary = DecodeSummary(payload).value();
      return;
    case ChunkType::kIndex:
      t->index = DecodeIndex(payload).value();
      return;
    case ChunkType::kMarks:
      if (!DecodeMarks(payload).ok()) fail("marks do not decode");
      return;
    case ChunkType::kLeaks:
      t->leak_checks.push_back(DecodeLeakCheck(payload).value());
      return;
    case ChunkType::kMismatches:
      t->mismatches = DecodeMismatches(payload).value();
      return;
    case ChunkType::kModuleFiles:
      for (const ModuleFile& file : Value(DecodeModuleFiles(payload))) {
        if (t->modules.count(file.module) == 0)
          fail("a module comes after its file");
      }
      return;
    case ChunkType::kNames:
      fail("the collector writes no names");
      return;
    case ChunkType::kPools:
      t->pools = DecodePools(payload).value();
      return;
  }
}

inline ReadTrace ParseTrace(std::string_view bytes) {
  ReadTrace t;
  if (!CheckFileHeader(bytes).ok()) {
    t.error = "file header";
    return t;
  }
  size_t at = sizeof(FileHeader);
  for (uint32_t sequence = 0;; ++sequence) {
    const auto header = DecodeChunkHeader(bytes.substr(at));
    if (!header.ok() ||
        header->stored_bytes > bytes.size() - at - sizeof(ChunkHeader)) {
      break;
    }
    const auto payload = DecodeChunk(
        *header, bytes.substr(at + sizeof(ChunkHeader), header->stored_bytes));
    if (!payload.ok() || header->sequence != sequence) {
      t.error = "chunk";
      return t;
    }
    t.chunks.push_back(header->type);
    ReadPayload(header->type, *payload, &t);
    at += sizeof(ChunkHeader) + header->stored_bytes;
    t.chunk_ends.push_back(at);
  }
  const auto trailer = DecodeTrailer(bytes.substr(at));
  t.trailer = trailer.ok();
  return t;
}

}  // namespace mallogram
