// The file: whole chunks, one after another, each written at once. If a write
// fails, the file is cut back to its last whole chunk, `trouble` says why, and
// everything after is thrown away: the recording goes on without a file rather
// than stall the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "preload/trace/records.h"
#include "preload/trace_format.h"

namespace mallogram {

class TraceWriter {
 public:
  TraceWriter() = default;
  ~TraceWriter();
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  // Creates the file, of this format's version. AlreadyExists: there is one.
  absl::Status Create(const std::string& path, int compression_level,
                      uint32_t version);

  // `entry`: what the index says of it; type and offset are filled in.
  void Write(ChunkType type, std::string_view payload, IndexEntry entry = {});

  // Index and trailer; closes the file. Returns false if there is trouble.
  bool Close();

  const std::string& path() const { return path_; }
  const std::string& trouble() const { return trouble_; }
  uint64_t file_bytes() const { return offset_; }
  uint64_t event_bytes() const { return event_bytes_; }  // kEvents as stored

 private:
  bool WriteBytes(std::string_view bytes);
  void GiveUp(int error);

  int fd_ = -1;
  int level_ = 1;
  uint32_t sequence_ = 0;
  uint64_t offset_ = 0;  // end of the last whole chunk
  uint64_t event_bytes_ = 0;
  std::vector<IndexEntry> index_;
  std::string path_, trouble_;
};

}  // namespace mallogram
