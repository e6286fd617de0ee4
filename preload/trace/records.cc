// Encoders and decoders of the small chunk families, side by side. Every decoder
// ends in WholeChunk(): no byte may be missing, malformed or left over.
#include "preload/trace/records.h"

#include "preload/trace/bytes.h"
#include "preload/trace/checked.h"

namespace mallogram {
namespace {

std::string ReadString(ByteReader* in) { return std::string(in->String()); }

}  // namespace

std::string EncodeRunInfo(const RunInfo& run) {
  ByteWriter out;
  out.String(run.mallogram_version);
  out.String(run.host);
  out.String(run.os);
  out.String(run.cpu);
  out.String(run.executable);
  out.Varint(run.argv.size());
  for (const std::string& argument : run.argv) out.String(argument);
  out.String(run.cwd);
  out.Signed(run.pid);
  out.Signed(run.ppid);
  out.Varint(run.start_unix_ns);
  out.Varint(run.tsc_hz);
  out.Varint(run.max_depth);
  out.String(run.on_full);
  out.String(run.allocator);
  out.String(run.parent_trace);
  if (run.sample_interval != 0) out.Varint(run.sample_interval);
  return out.Take();
}

absl::StatusOr<RunInfo> DecodeRunInfo(std::string_view payload) {
  ByteReader in(payload);
  RunInfo run;
  run.mallogram_version = ReadString(&in);
  run.host = ReadString(&in);
  run.os = ReadString(&in);
  run.cpu = ReadString(&in);
  run.executable = ReadString(&in);
  run.argv.resize(in.Count());
  for (std::string& argument : run.argv) argument = ReadString(&in);
  run.cwd = ReadString(&in);
  run.pid = in.Signed();
  run.ppid = in.Signed();
  run.start_unix_ns = in.Varint();
  run.tsc_hz = in.Varint();
  run.max_depth = in.Varint();
  run.on_full = ReadString(&in);
  run.allocator = ReadString(&in);
  run.parent_trace = ReadString(&in);
  if (in.ok() && in.remaining() != 0) {
    run.sample_interval = in.Varint();
    if (run.sample_interval == 0) return absl::DataLossError("malformed run chunk");
  }
  return WholeChunk(in, std::move(run), "run");
}

std::string EncodeModules(const std::vector<Module>& modules) {
  ByteWriter out;
  out.Varint(modules.size());
  for (const Module& module : modules) {
    out.Varint(module.id);
    out.String(module.path);
    out.String(module.build_id);
    out.Varint(module.bias);
    out.Varint(module.start);
    out.Varint(module.end);
    out.Varint(module.load_ns);
    out.Varint(module.unload_ns);
  }
  return out.Take();
}

absl::StatusOr<std::vector<Module>> DecodeModules(std::string_view payload) {
  ByteReader in(payload);
  std::vector<Module> modules(in.Count(8));
  for (Module& module : modules) {
    const uint64_t id = in.Varint();
    if (id == 0 || id > UINT32_MAX) {
      return absl::DataLossError("malformed modules chunk");
    }
    module.id = static_cast<uint32_t>(id);
    module.path = ReadString(&in);
    module.build_id = ReadString(&in);
    module.bias = in.Varint();
    module.start = in.Varint();
    module.end = in.Varint();
    module.load_ns = in.Varint();
    module.unload_ns = in.Varint();
  }
  return WholeChunk(in, std::move(modules), "modules");
}

std::string EncodeModuleFiles(const std::vector<ModuleFile>& files) {
  ByteWriter out;
  out.Varint(files.size());
  for (const ModuleFile& file : files) {
    out.Varint(file.module);
    out.Varint(file.bytes);
    out.Varint(file.modified_ns);
  }
  return out.Take();
}

absl::StatusOr<std::vector<ModuleFile>> DecodeModuleFiles(
    std::string_view payload) {
  ByteReader in(payload);
  std::vector<ModuleFile> files(in.Count(3));
  for (ModuleFile& file : files) {
    const uint64_t id = in.Varint();
    if (id == 0 || id > UINT32_MAX)
      return absl::DataLossError("malformed module files chunk");
    file.module = static_cast<uint32_t>(id);
    file.bytes = in.Varint();
    file.modified_ns = in.Varint();
  }
  return WholeChunk(in, std::move(files), "module files");
}

// stacks := first_id count (id - parent, module, zigzag(offset - previous))*
// A parent is usually the node before or near it, hence the distance.
std::string EncodeStacks(uint32_t first_id, const std::vector<Stack>& stacks) {
  ByteWriter out;
  out.Varint(first_id);
  out.Varint(stacks.size());
  uint32_t id = first_id;
  uint64_t previous = 0;
  for (const Stack& stack : stacks) {
    out.Varint(id - stack.parent);
    out.Varint(stack.module);
    out.Signed(static_cast<int64_t>(stack.offset - previous));
    previous = stack.offset;
    ++id;
  }
  return out.Take();
}

absl::StatusOr<std::vector<Stack>> DecodeStacks(std::string_view payload,
                                                uint32_t* first_id) {
  ByteReader in(payload);
  const uint64_t first = in.Varint();
  std::vector<Stack> stacks(in.Count(3));
  if (first < kFirstStackId || first + stacks.size() > kMaxStackIds) {
    return absl::DataLossError("malformed stacks chunk");
  }
  uint64_t id = first;
  uint64_t previous = 0;
  for (Stack& stack : stacks) {
    const uint64_t distance = in.Varint();
    const uint64_t module = in.Varint();
    previous += static_cast<uint64_t>(in.Signed());
    if (distance == 0 || distance > id || module > UINT32_MAX) {
      return absl::DataLossError("malformed stacks chunk");
    }
    stack.parent = static_cast<uint32_t>(id - distance);
    stack.module = static_cast<uint32_t>(module);
    stack.offset = previous;
    ++id;
  }
  if (first_id != nullptr) *first_id = static_cast<uint32_t>(first);
  return WholeChunk(in, std::move(stacks), "stacks");
}

std::string EncodeThreads(const std::vector<Thread>& threads) {
  ByteWriter out;
  out.Varint(threads.size());
  for (const Thread& thread : threads) {
    out.Varint(thread.index);
    out.Signed(thread.tid);
    out.String(thread.name);
    out.Varint(thread.start_ns);
  }
  return out.Take();
}

absl::StatusOr<std::vector<Thread>> DecodeThreads(std::string_view payload) {
  ByteReader in(payload);
  std::vector<Thread> threads(in.Count(4));
  for (Thread& thread : threads) {
    const uint64_t index = in.Varint();
    if (index >= kMaxThreads) return absl::DataLossError("malformed threads chunk");
    thread.index = static_cast<uint32_t>(index);
    thread.tid = in.Signed();
    thread.name = ReadString(&in);
    thread.start_ns = in.Varint();
  }
  return WholeChunk(in, std::move(threads), "threads");
}

std::string EncodeSamples(const std::vector<Sample>& samples) {
  ByteWriter out;
  out.Varint(samples.size());
  uint64_t time = 0;
  for (const Sample& sample : samples) {
    out.Signed(static_cast<int64_t>(sample.time_ns - time));
    out.Varint(sample.heap_bytes);
    out.Varint(sample.heap_max_bytes);
    out.Varint(sample.rss_bytes);
    time = sample.time_ns;
  }
  return out.Take();
}

absl::StatusOr<std::vector<Sample>> DecodeSamples(std::string_view payload) {
  ByteReader in(payload);
  std::vector<Sample> samples(in.Count(4));
  uint64_t time = 0;
  for (Sample& sample : samples) {
    time += static_cast<uint64_t>(in.Signed());
    sample.time_ns = time;
    sample.heap_bytes = in.Varint();
    sample.heap_max_bytes = in.Varint();
    sample.rss_bytes = in.Varint();
  }
  return WholeChunk(in, std::move(samples), "samples");
}

std::string EncodeIndex(const std::vector<IndexEntry>& entries) {
  ByteWriter out;
  out.Varint(entries.size());
  for (const IndexEntry& entry : entries) {
    out.Varint(static_cast<uint64_t>(entry.type));
    out.Varint(entry.offset);
    out.Varint(entry.first_event);
    out.Varint(entry.event_count);
    out.Varint(entry.start_ns);
    out.Varint(entry.end_ns);
  }
  return out.Take();
}

absl::StatusOr<std::vector<IndexEntry>> DecodeIndex(std::string_view payload) {
  ByteReader in(payload);
  std::vector<IndexEntry> entries(in.Count(6));
  for (IndexEntry& entry : entries) {
    const uint64_t type = in.Varint();
    if (type > UINT16_MAX) return absl::DataLossError("malformed index chunk");
    entry.type = static_cast<ChunkType>(type);
    entry.offset = in.Varint();
    entry.first_event = in.Varint();
    entry.event_count = in.Varint();
    entry.start_ns = in.Varint();
    entry.end_ns = in.Varint();
  }
  return WholeChunk(in, std::move(entries), "index");
}

}  // namespace mallogram
