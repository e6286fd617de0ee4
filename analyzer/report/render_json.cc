// The report as JSON, see report.schema.json. A field is never absent because its
// value is unknown: it is null then. Absent from sites is what is 0, none or
// complete: a compiler has 100,000 of them. Numbers are JSON integers; all that
// occur are below 2^53 but the last size class.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "analyzer/command/format.h"
#include "analyzer/command/json_text.h"
#include "analyzer/recording/estimate.h"
#include "analyzer/report/process_json.h"
#include "analyzer/report/render.h"

namespace mallogram {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 2;

std::string Hex(const std::string& bytes) { return BuildIdText(bytes); }

// What sampling cannot tell is null.
Json KnownJson(uint64_t count, bool sampled) {
  return sampled ? Json() : Json(count);
}

Json PairJson(const Interval& interval) {
  return Json::array({interval.low, interval.high});
}

// Keys: as the estimates' own.
Json IntervalsJson(const SiteEstimate& site, uint64_t sample_interval,
                   bool totals) {
  const auto blocks = [&](const Estimate& sum) {
    return PairJson(BlocksInterval(sum, site.smallest, sample_interval));
  };
  const auto bytes = [&](const Estimate& sum) {
    return PairJson(BytesInterval(sum, sample_interval));
  };
  return {{totals ? "allocations" : "calls", blocks(site.allocated)},
          {"bytes_allocated", bytes(site.allocated)},
          {totals ? "peak_heap_blocks" : "peak_blocks", blocks(site.peak)},
          {totals ? "peak_heap_bytes" : "peak_bytes", bytes(site.peak)},
          {"live_blocks", blocks(site.live)},
          {"live_bytes", bytes(site.live)}};
}

Json SamplingJson(const Report& report) {
  if (!report.sampled()) return nullptr;
  const Sampling& sampling = report.sampling;
  return {{"interval_bytes", sampling.interval},
          {"confidence", kConfidence},
          {"samples", sampling.totals.allocated.samples},
          {"intervals",
           IntervalsJson(sampling.totals, sampling.interval, /*totals=*/true)}};
}

Json FilteredJson(const Report& report) {
  if (!report.filtered.has_value()) return nullptr;
  const auto sums = [](const SiteTotals& totals) {
    return Json{{"peak_bytes", totals.peak_bytes},
                {"live_bytes", totals.live_bytes},
                {"bytes_allocated", totals.bytes_allocated},
                {"calls", totals.calls},
                {"temporary", totals.temporary}};
  };
  return {{"options", report.filtered->words},
          {"shown", sums(report.filtered->shown)},
          {"all", sums(report.filtered->all)}};
}

Json TotalsJson(const Totals& totals, bool sampled) {
  return {{"allocations", totals.allocations},
          {"frees", totals.frees},
          {"reallocations", KnownJson(totals.reallocations, sampled)},
          {"bytes_allocated", totals.bytes_allocated},
          {"peak_heap_bytes", totals.peak_heap_bytes},
          {"peak_heap_blocks", totals.peak_heap_blocks},
          {"peak_time_s", Seconds(totals.peak_time_ns)},
          {"peak_rss_bytes", totals.peak_rss_bytes},
          {"live_blocks", totals.live_blocks},
          {"live_bytes", totals.live_bytes},
          {"temporary_allocations", KnownJson(totals.temporary, sampled)},
          {"unknown_frees", totals.unknown_frees},
          {"duration_s", Seconds(totals.duration_ns)}};
}

Json LossJson(const Loss& loss) {
  return {{"events_lost", loss.events_lost},
          {"bytes_lost", loss.bytes_lost},
          {"events_waited", loss.events_waited},
          {"wait_s", Seconds(loss.wait_ns)},
          {"truncated_stacks", loss.truncated_stacks},
          {"order_violations", loss.order_violations},
          {"damaged_chunks", loss.damaged_chunks}};
}

Json SelfJson(const SelfReport& self, const CostEstimate& cost) {
  Json json = {{"events", self.events},
               {"event_file_bytes", self.event_file_bytes},
               {"file_bytes", self.file_bytes},
               {"stack_nodes", self.stack_nodes},
               {"sites", self.sites},
               {"threads", self.threads},
               {"walks", self.walks},
               {"frames_walked", self.frames_walked},
               {"full_walks", self.full_walks},
               {"program_memory_bytes", self.image_bytes + self.private_bytes},
               {"collector_cpu_s", Seconds(self.collector_cpu_ns)},
               {"collector_rss_bytes", self.collector_rss_bytes},
               {"verify_checked", self.verify_checked},
               {"verify_classes", self.verify_classes}};
  if (self.walks == 0) {
    json["estimated_added_s"] = nullptr;
  } else {
    json["estimated_added_s"] = cost.added_s;
  }
  if (self.walks == 0 || cost.slowdown == 0) {
    json["estimated_slowdown"] = nullptr;
  } else {
    json["estimated_slowdown"] = cost.slowdown;
  }
  return json;
}

Json ProcessJson(const Process& process) {
  return {{"file", process.file},
          {"program", process.program},
          {"command", process.argv},
          {"cwd", process.cwd},
          {"host", process.host},
          {"pid", process.pid},
          {"ppid", process.ppid},
          {"start_unix_s", Seconds(process.start_unix_ns)},
          {"end", EndJson(process)},
          {"sample_interval_bytes",
           process.sample_interval == 0 ? Json() : Json(process.sample_interval)},
          {"totals", TotalsJson(process.totals, process.sample_interval != 0)},
          {"loss", LossJson(process.loss)}};
}

Json SampleJson(const Sample& sample) {
  return {{"t_s", Seconds(sample.time_ns)},
          {"heap_bytes", sample.heap_bytes},
          {"heap_max_bytes", std::max(sample.heap_bytes, sample.heap_max_bytes)},
          {"rss_bytes", sample.rss_bytes == 0 ? Json() : Json(sample.rss_bytes)}};
}

Json SizeJson(size_t bucket, const SizeClass& size, bool sampled) {
  const uint64_t low = bucket == 0 ? 0 : uint64_t{1} << (bucket - 1);
  const uint64_t high = bucket == 0    ? 0
                        : bucket >= 64 ? ~uint64_t{0}
                                       : (uint64_t{1} << bucket) - 1;
  return {{"min_bytes", low},
          {"max_bytes", high},
          {"calls", size.calls},
          {"bytes", size.bytes},
          {"live_blocks", size.live_blocks},
          {"live_bytes", size.live_bytes},
          {"temporary", KnownJson(size.temporary, sampled)}};
}

// One line of the frame table. `module` is an index in `modules`.
Json FrameJson(const StackBook& book, const Location& location,
               const PlacedFrame& placed) {
  const CodeFrame& frame = book.frame(placed.frame);
  const bool known = location.module != kNoModuleIndex;
  return {{"function", frame.function.empty() ? Json() : Json(frame.function)},
          {"file", frame.file.empty() ? Json() : Json(frame.file)},
          {"line", frame.line == 0 ? Json() : Json(frame.line)},
          {"module", known ? Json(location.module) : Json()},
          {"offset", location.offset},
          {"inlined", placed.inlined}};
}

// The frames of the sites shown, numbered for the lists of their stacks. A program
// has few places of code and stacks of hundreds of frames: what stands on most
// stacks gets the shortest numbers, which halves the report.
class FrameNumbers {
 public:
  FrameNumbers(const StackBook& book, absl::Span<const Site* const> sites)
      : book_(book), first_(book.location_count(), kUnused) {
    std::vector<uint64_t> uses(book.location_count());
    for (const Site* site : sites) {
      for (uint32_t node = site->node; node >= kFirstStackId;
           node = book.node(node).parent) {
        ++uses[book.node(node).location];
      }
    }
    for (uint32_t location = 0; location < uses.size(); ++location) {
      if (uses[location] != 0) order_.push_back(location);
    }
    std::stable_sort(order_.begin(), order_.end(),
                     [&uses](uint32_t a, uint32_t b) { return uses[a] > uses[b]; });
    uint32_t count = 0;
    for (const uint32_t location : order_) {
      first_[location] = count;
      count += static_cast<uint32_t>(book.location(location).visible().size());
    }
  }

  // Locations, their frames' numbers rising.
  const std::vector<uint32_t>& order() const { return order_; }

  // The two lists of a stack, innermost frame first, and how the stack ends.
  std::string StackText(uint32_t node) const {
    const uint32_t folded = StackCursor(book_, node).folded();
    std::string plumbing, rest;
    uint32_t position = 0;
    for (; node >= kFirstStackId; node = book_.node(node).parent) {
      const uint32_t location = book_.node(node).location;
      const auto frames =
          static_cast<uint32_t>(book_.location(location).visible().size());
      for (uint32_t i = 0; i < frames; ++i) {
        std::string& list = position++ < folded ? plumbing : rest;
        absl::StrAppend(&list, list.empty() ? "" : ",", first_[location] + i);
      }
    }
    std::string text;
    if (!plumbing.empty()) absl::StrAppend(&text, "\"plumbing\":[", plumbing, "],");
    absl::StrAppend(&text, "\"stack\":[", rest, "]");
    if (node != kRootComplete)
      absl::StrAppend(&text, ",\"stack_end\":\"", StackEnd(node), "\"");
    return text;
  }

 private:
  static constexpr uint32_t kUnused = 0xffffffffu;

  const StackBook& book_;
  std::vector<uint32_t> order_;
  std::vector<uint32_t> first_;  // by location: the number of its innermost frame
};

std::string SiteText(const Report& report, const FrameNumbers& frames,
                     const Site& site) {
  const SiteTotals& totals = site.totals;
  const bool sampled = report.sampled();
  Json json = {{"id", site.id},
               {"calls", totals.calls},
               {"bytes_allocated", totals.bytes_allocated},
               {"own_peak_bytes", totals.own_peak_bytes},
               {"lifetime_s", Seconds(totals.lifetime_ns)}};
  // Most sites of a program hold nothing at the peak and nothing at the end.
  const auto add = [&json](const char* key, uint64_t value, bool known) {
    if (!known) {
      json[key] = nullptr;
    } else if (value != 0) {
      json[key] = value;
    }
  };
  add("peak_bytes", totals.peak_bytes, true);
  add("peak_blocks", totals.peak_blocks, true);
  add("live_bytes", totals.live_bytes, true);
  add("live_blocks", totals.live_blocks, true);
  add("frees", totals.frees, true);
  add("reallocations", totals.reallocations, !sampled);
  add("temporary", totals.temporary, !sampled);
  add("lost", totals.lost, true);
  add("lost_bytes", totals.lost_bytes, true);
  if (sampled) {
    const auto index = static_cast<size_t>(&site - report.sites.data());
    const SiteEstimate& estimate = report.sampling.sites[index];
    json["samples"] = estimate.allocated.samples;
    json["intervals"] =
        IntervalsJson(estimate, report.sampling.interval, /*totals=*/false);
  }
  std::string text = Dump(json);
  text.pop_back();  // the closing brace: the stack follows
  absl::StrAppend(&text, ",", frames.StackText(site.node), "}");
  return text;
}

// `"key":[item,…]`, one item a line.
template <typename Items, typename ToJson>
void WriteArray(absl::string_view key, const Items& items, Sink sink,
                ToJson to_json) {
  sink(absl::StrCat(",\n\"", key, "\":["));
  bool first = true;
  for (const auto& item : items) {
    sink(first ? "\n" : ",\n");
    first = false;
    sink(Dump(to_json(item)));
  }
  sink("]");
}

}  // namespace

void RenderReportJson(const Report& report, const StackBook& book,
                      const CostEstimate& cost, Measure by, size_t top, Sink sink) {
  const auto field = [&sink](absl::string_view key, const Json& value) {
    sink(absl::StrCat(",\n\"", key, "\":", Dump(value)));
  };
  sink(absl::StrCat("{\"schema_version\":", kSchemaVersion));
  const Process& first = report.processes.front();
  field("command", first.argv);
  field("end", EndJson(first));
  field("peak_basis", report.merged() ? "sum_of_process_peaks" : "exact");
  field("sampling", SamplingJson(report));
  field("filtered", FilteredJson(report));
  field("totals", TotalsJson(report.totals, report.sampled()));
  field("loss", LossJson(report.loss));
  field("self", SelfJson(report.self, cost));
  WriteArray("warnings", report.warnings, sink,
             [](const std::string& warning) { return Json(warning); });
  WriteArray("processes", report.processes, sink, ProcessJson);
  WriteArray("modules", book.modules(), sink, [](const CodeModule& module) {
    return Json{{"path", module.path}, {"build_id", Hex(module.build_id)}};
  });
  WriteArray("timeline", report.timeline, sink, SampleJson);
  std::vector<size_t> sizes;
  for (size_t i = 0; i < report.sizes.size(); ++i) {
    if (report.sizes[i].calls != 0) sizes.push_back(i);
  }
  WriteArray("sizes", sizes, sink, [&report](size_t i) {
    return SizeJson(i, report.sizes[i], report.sampled());
  });

  std::vector<const Site*> sites;
  for (const Site& site : report.sites) sites.push_back(&site);
  std::stable_sort(sites.begin(), sites.end(), [by](const Site* a, const Site* b) {
    return ValueOf(a->totals, by) > ValueOf(b->totals, by);
  });
  if (top != 0 && sites.size() > top) sites.resize(top);
  const FrameNumbers frames(book, sites);
  sink(",\n\"frames\":[");
  const char* separator = "\n";
  for (const uint32_t location : frames.order()) {
    for (const PlacedFrame& frame : book.location(location).visible()) {
      sink(separator);
      sink(Dump(FrameJson(book, book.location(location), frame)));
      separator = ",\n";
    }
  }
  sink("]");
  sink(",\n\"sites\":[");
  separator = "\n";
  for (const Site* site : sites) {
    sink(separator);
    sink(SiteText(report, frames, *site));
    separator = ",\n";
  }
  sink("]");
  sink("}\n");
}

}  // namespace mallogram
