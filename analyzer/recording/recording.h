// A recording's file, opened once: where its chunks are, what is in them, its
// events in order. Every verb reads through it; nothing else opens or walks a
// trace.
//
// Where chunks are is found at the first need and kept, by the index or, where that
// is damaged, by a walk (chunk_directory.h). Events have an index of their own,
// because most verbs need none of them and a recording has thousands of their
// chunks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/byte_source.h"
#include "analyzer/recording/chunk_directory.h"
#include "preload/trace/event_codec.h"
#include "preload/trace/marks.h"
#include "preload/trace/records.h"

namespace mallogram {

// Chunks of which types a directory must have.
enum class Chunks { kFacts, kEvents, kAll };  // kFacts: all but events

// Hints of who keeps no blocks.
struct NoHints {
  void Far(uint32_t) const {}
  void Near(uint32_t) const {}
};

template <typename Hints>
class EventRange;

class Recording {
 public:
  // The header is checked. The message of an error is complete: it names the path.
  static absl::StatusOr<Recording> Open(absl::string_view path);
  static absl::StatusOr<Recording> Open(std::unique_ptr<ByteSource> source,
                                        absl::string_view path);

  const std::string& path() const { return path_; }
  ByteSource& source() const { return *source_; }
  uint64_t file_bytes() const { return source_->size(); }

  // An error is one of the medium. The directory lives as long as the recording.
  absl::StatusOr<const ChunkDirectory*> Directory(Chunks which,
                                                  ProgressFn progress);
  // By a walk, whatever the index says.
  absl::StatusOr<const ChunkDirectory*> Walk(ProgressFn progress);

  // The payloads of a type other than kEvents, in file order; damaged ones are left
  // out. For small families: all of it is held.
  absl::StatusOr<std::vector<std::string>> Payloads(ChunkType type);
  // The facts of the process; NotFound: they are lost.
  absl::StatusOr<RunInfo> Facts();
  absl::StatusOr<Marks> ReadMarks();

  // The events in order, as far as they can be read. `hints`: of
  // EventDecoder::Next.
  template <typename Hints>
  EventRange<Hints> Events(ProgressFn progress, Hints hints) {
    return EventRange<Hints>(*this, progress, hints);
  }

 private:
  Recording(std::unique_ptr<ByteSource> source, absl::string_view path)
      : source_(std::move(source)), path_(path) {}

  std::unique_ptr<ByteSource> source_;
  std::string path_;
  std::unique_ptr<ChunkDirectory> walked_;
  std::unique_ptr<ChunkDirectory> indexed_[3];  // by Chunks; nullptr: not read yet
};

// The chunks of events one after the other. What ends them early is status().
class EventChunks {
 public:
  EventChunks(Recording& recording, ProgressFn progress)
      : recording_(recording), progress_(progress) {}

  // The next chunk, after `events` events: false at the end, or if there is
  // trouble.
  bool Next(uint64_t events, EventDecoder* decoder);
  void Fail(absl::Status status) { status_ = std::move(status); }

  // DataLoss or another code: the chunk at offset() is damaged. FailedPrecondition:
  // none is damaged, but events are missing before it. Unavailable: the medium.
  const absl::Status& status() const { return status_; }
  uint64_t offset() const { return offset_; }

 private:
  Recording& recording_;
  const ProgressFn progress_;
  const ChunkDirectory* directory_ = nullptr;
  size_t next_ = 0;
  uint64_t offset_ = 0;
  std::string payload_;  // of the decoder
  absl::Status status_;
};

// `for (const Event& event : recording.Events(…))`, once. An event costs a call of
// EventDecoder::Next, inlined, and no more. After the loop, status() says whether
// that was all.
template <typename Hints>
class EventRange {
 public:
  EventRange(Recording& recording, ProgressFn progress, Hints hints)
      : chunks_(recording, progress), hints_(hints) {}
  EventRange(const EventRange&) = delete;
  EventRange& operator=(const EventRange&) = delete;

  struct End {};
  class Iterator {
   public:
    explicit Iterator(EventRange* range) : range_(range) { ++*this; }
    const Event& operator*() const { return event_; }
    [[gnu::always_inline]] Iterator& operator++() {
      while (!range_->decoder_.Next(&event_, range_->hints_)) [[unlikely]] {
          if (!range_->NextChunk()) {
            at_end_ = true;
            return *this;
          }
        }
      ++range_->read_;
      return *this;
    }
    bool operator!=(End) const { return !at_end_; }

   private:
    EventRange* const range_;
    Event event_ = {};
    bool at_end_ = false;
  };
  Iterator begin() { return Iterator(this); }
  End end() const { return {}; }

  // The event at hand contradicts those before it: its chunk is damaged.
  void Refuse() {
    chunks_.Fail(absl::DataLossError("an event contradicts those before it"));
  }
  const absl::Status& status() const { return chunks_.status(); }
  uint64_t offset() const { return chunks_.offset(); }

 private:
  friend class Iterator;
  [[gnu::noinline]] bool NextChunk() {
    if (!decoder_.status().ok()) {
      chunks_.Fail(decoder_.status());
      return false;
    }
    return chunks_.Next(read_, &decoder_);
  }

  EventChunks chunks_;
  const Hints hints_;
  EventDecoder decoder_;
  uint64_t read_ = 0;  // events, the one at hand among them
};

}  // namespace mallogram
