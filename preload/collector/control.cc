#include "preload/collector/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "preload/trace/bytes.h"

namespace mallogram {
namespace {

// Longer strings (a path may have 4 KiB) are cut, so that a packet stays far below
// the socket's limit (some 200 KiB).
constexpr size_t kMaxString = 4096;

void PutString(ByteWriter& out, const std::string& text) {
  out.String(std::string_view(text).substr(0, kMaxString));
}

void PutFile(ByteWriter& out, const FinishedFile& file) {
  PutString(out, file.path);
  PutString(out, file.program);
  out.Signed(file.pid);
  PutString(out, file.error);
}

FinishedFile GetFile(ByteReader& in) {
  FinishedFile file;
  file.path = in.String();
  file.program = in.String();
  file.pid = static_cast<int>(in.Signed());
  file.error = in.String();
  return file;
}

}  // namespace

void RecordingReportBuilder::AddTrouble(const std::string& trouble) {
  if (report_.troubled++ == 0) report_.first_trouble = trouble;
}

void RecordingReportBuilder::AddOther(FinishedFile file, uint64_t allocations) {
  ++report_.other_processes;
  report_.other_allocations += allocations;
  if (!file.error.empty()) AddTrouble(file.error);
  if (report_.others.size() < RecordingReport::kMaxOthers) {
    report_.others.push_back(std::move(file));
  }
}

void RecordingReportBuilder::Add(FinishedFile file, const Summary* summary,
                                 pid_t main_pid) {
  if (main_pid != 0 && file.pid != main_pid) {
    AddOther(std::move(file), summary != nullptr ? summary->totals.allocations : 0);
    return;
  }
  // An exec: what the program was before becomes one of the others.
  if (report_.main.pid != 0) {
    AddOther(std::move(report_.main), report_.summary.totals.allocations);
  }
  report_.main = std::move(file);
  report_.summary = summary != nullptr ? *summary : Summary();
  report_.summary.sites.clear();
  report_.summary.sampling.sites.clear();
  report_.summary.timeline.clear();
}

std::string EncodeReport(const RecordingReport& report) {
  ByteWriter out;
  out.Varint(static_cast<uint64_t>(ControlKind::kReport));
  PutFile(out, report.main);
  out.Byte(report.connected ? 1 : 0);
  Summary summary = report.summary;
  summary.sites.clear();
  summary.sampling.sites.clear();
  summary.timeline.clear();
  summary.sizes.resize(kSizeBuckets);  // there are none if there is no file
  out.String(EncodeSummary(summary));
  out.Varint(report.other_processes);
  out.Varint(report.other_allocations);
  out.Varint(report.still_running);
  out.Varint(report.troubled);
  PutString(out, report.first_trouble);
  PutString(out, report.unrecorded);
  const size_t others = std::min(report.others.size(), RecordingReport::kMaxOthers);
  out.Varint(others);
  for (size_t i = 0; i < others; ++i) PutFile(out, report.others[i]);
  return out.Take();
}

absl::StatusOr<RecordingReport> DecodeReport(absl::string_view bytes) {
  ByteReader in(std::string_view(bytes.data(), bytes.size()));
  RecordingReport report;
  const bool known = in.Varint() == static_cast<uint64_t>(ControlKind::kReport);
  report.main = GetFile(in);
  report.connected = in.Byte() != 0;
  absl::StatusOr<Summary> summary = DecodeSummary(in.String());
  report.other_processes = in.Varint();
  report.other_allocations = in.Varint();
  report.still_running = in.Varint();
  report.troubled = in.Varint();
  report.first_trouble = in.String();
  report.unrecorded = in.String();
  const uint64_t others = in.Count(4);
  for (uint64_t i = 0; i < others; ++i) report.others.push_back(GetFile(in));
  if (!known || !in.ok()) {
    return absl::DataLossError("the collector's report is malformed");
  }
  if (!summary.ok()) return summary.status();
  report.summary = *std::move(summary);
  return report;
}

bool SendPacket(int fd, absl::string_view bytes) {
  ssize_t sent;
  do {
    sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

bool SendControl(int fd, const ControlMessage& message) {
  return SendPacket(fd, absl::string_view(reinterpret_cast<const char*>(&message),
                                          sizeof(message)));
}

std::string ReceivePacket(int fd) {
  std::string packet;
  ssize_t size;
  do {  // how long is it?
    size = recv(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return packet;
  packet.resize(static_cast<size_t>(size));
  const ssize_t got = recv(fd, packet.data(), packet.size(), 0);
  if (got != size) packet.clear();
  return packet;
}

}  // namespace mallogram
