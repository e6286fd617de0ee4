#include "analyzer/leaks/builder.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/leaks/beside.h"
#include "analyzer/leaks/container.h"
#include "analyzer/leaks/since.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

constexpr LeakKind KindOf(LeakClass kind) {
  switch (kind) {
    case LeakClass::kDefinite:
      return LeakKind::kDefinite;
    case LeakClass::kIndirect:
      return LeakKind::kIndirect;
    case LeakClass::kPossible:
      return LeakKind::kPossible;
    case LeakClass::kReachable:
      return LeakKind::kReachable;
    case LeakClass::kIgnored:
      return LeakKind::kIgnored;
  }
  return LeakKind::kIgnored;
}

// DWARF's numbers of x86-64's registers.
std::string RegisterName(uint64_t number) {
  constexpr const char* kNames[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi",
                                    "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                    "r12", "r13", "r14", "r15", "rip"};
  if (number < std::size(kNames)) return kNames[number];
  if (number <= 32) return absl::StrCat("xmm", number - 17);
  return absl::StrCat("register ", number);
}

const Thread* ThreadOfTid(const Trace& trace, int64_t tid) {
  // The latest: a tid may come back.
  for (auto at = trace.threads.rbegin(); at != trace.threads.rend(); ++at) {
    if (at->tid == tid) return &*at;
  }
  return nullptr;
}

std::string ThreadName(const Trace& trace, uint32_t index) {
  const auto at = std::lower_bound(
      trace.threads.begin(), trace.threads.end(), index,
      [](const Thread& thread, uint32_t wanted) { return thread.index < wanted; });
  return at != trace.threads.end() && at->index == index ? at->name : "";
}

// Why nothing is known of who holds the blocks.
std::string WhyUnclassified(const Trace& trace) {
  if (trace.still_recording) {
    return absl::StrCat("it is still being recorded: mallogram leaks --pid ",
                        trace.run.pid, " looks into it");
  }
  switch (trace.summary.end) {
    case EndReason::kUnknown:
      return "the recording has no end";
    case EndReason::kDetached:
      return "the recording ended before the program";
    case EndReason::kExeced:
    case EndReason::kVanished:
      return EndText(FactsOf(trace));
    case EndReason::kSignalled:
      if (trace.summary.end_detail == SIGKILL) return EndText(FactsOf(trace));
      break;
    case EndReason::kExited:
      break;
  }
  return "recorded without a leak check (record --leak-check exit)";
}

LeakProcess ProcessOf(const Trace& trace) {
  LeakProcess process;
  static_cast<ProcessFacts&>(process) = FactsOf(trace);
  const Totals& totals = trace.summary.totals;
  process.duration_ns = totals.duration_ns;
  process.allocations = totals.allocations;
  process.frees = totals.frees;
  process.bytes_allocated = totals.bytes_allocated;
  for (const LeakCheck& check : trace.leak_checks) {
    CheckView& view = process.checks.emplace_back();
    view.number = process.checks.size();
    view.check = check;
    view.check.groups = {};
  }
  return process;
}

absl::Status NoSuchCheck(const Trace& trace, size_t number) {
  const size_t count = trace.leak_checks.size();
  return absl::OutOfRangeError(
      absl::StrCat(trace.path, " has ",
                   count == 0   ? "no leak checks"
                   : count == 1 ? "one leak check"
                                : absl::StrCat("leak checks 1 to ", count),
                   ": there is no check ", number));
}

}  // namespace

LeakBuilder::LeakBuilder(StackBook* book) : book_(book) {}

RootView LeakBuilder::ViewOf(const Trace& trace, const LeakRoot& root) {
  RootView view;
  view.kind = root.kind;
  view.address = root.address;
  view.tid = root.tid;
  if (const Thread* thread = ThreadOfTid(trace, root.tid))
    view.thread = thread->name;
  if (root.kind == RootKind::kRegister) view.name = RegisterName(root.address);
  const Module* module = trace.FindModule(root.module);
  if (module == nullptr) return view;
  view.module = book_->ModuleIndex(*module);
  if (root.kind != RootKind::kGlobal) return view;
  const auto [entry, is_new] =
      variables_.try_emplace(std::pair(view.module, root.address));
  if (is_new)
    entry->second = book_->symbolizer().ResolveData(*module, root.address);
  view.name = entry->second.name;
  view.section = entry->second.section;
  view.offset = entry->second.offset;
  return view;
}

LeakReason LeakBuilder::ReasonOf(const Trace& trace, const LeakGroup& group) {
  LeakReason reason;
  reason.idiom = group.idiom;
  reason.interior_offset = group.interior_offset;
  reason.root = ViewOf(trace, group.root);
  reason.way_cut = group.way_cut;
  for (const LeakHop& hop : group.way) {
    reason.way.push_back(
        {book_->NodeOf(hop.stack), hop.size, hop.offset, hop.repeats});
  }
  if (group.head_stack != 0) reason.head = book_->NodeOf(group.head_stack);
  return reason;
}

LeakBuilder::Records LeakBuilder::Classified(const Trace& trace,
                                             const LeakCheck& check,
                                             const GrowthOf& growth,
                                             const BlocksByStack* only) {
  Records records;
  absl::flat_hash_map<std::pair<LeakKind, uint32_t>, size_t> index;
  for (const LeakGroup& group : check.groups) {
    uint64_t blocks = group.blocks, bytes = group.bytes;
    if (only != nullptr) {
      const auto selected = only->find(group.stack);
      if (selected == only->end()) continue;
      blocks = std::min(blocks, selected->second.blocks);
      bytes = std::min(bytes, selected->second.bytes);
    }
    LeakKind kind = KindOf(group.kind);
    std::optional<GrowthLabel> label;
    if (growth) label = growth(trace, group.stack);
    if (kind == LeakKind::kReachable && label.has_value() && label->growing)
      kind = LeakKind::kGrowth;
    const uint32_t node = book_->NodeOf(group.stack);
    const auto [entry, is_new] =
        index.try_emplace(std::pair(kind, node), records.size());
    if (is_new) {
      LeakRecord& record = records.emplace_back();
      record.process = document_.processes.size();
      record.kind = kind;
      record.node = node;
      record.has_ages = true;
      record.youngest_age_ns = UINT64_MAX;
    }
    LeakRecord& record = records[entry->second];
    record.stacks.push_back(group.stack);
    record.blocks += blocks;
    record.bytes += bytes;
    record.indirect_blocks += group.indirect_blocks;
    record.indirect_bytes += group.indirect_bytes;
    const auto age = [&check](uint64_t born_ns) {
      return check.time_ns > born_ns ? check.time_ns - born_ns : 0;
    };
    record.oldest_age_ns = std::max(record.oldest_age_ns, age(group.oldest_ns));
    if (age(group.youngest_ns) < record.youngest_age_ns || is_new) {
      record.youngest_age_ns = age(group.youngest_ns);
      record.thread = ThreadName(trace, group.thread);
      record.main_thread = group.thread == 0;
      record.reason = ReasonOf(trace, group);
    }
    if (!record.growth.has_value()) record.growth = std::move(label);
  }
  return records;
}

LeakBuilder::Records LeakBuilder::Unclassified(const Trace& trace,
                                               const GrowthOf& growth) {
  Records records;
  // The other program has its own recording; its memory replaced all of this.
  if (trace.summary.end == EndReason::kExeced) return records;
  absl::flat_hash_map<uint32_t, size_t> index;
  for (const SiteTotals& site : trace.summary.sites) {
    if (site.live_blocks == 0) continue;
    const uint32_t node = book_->NodeOf(site.stack);
    const auto [entry, is_new] = index.try_emplace(node, records.size());
    if (is_new) {
      LeakRecord& record = records.emplace_back();
      record.process = document_.processes.size();
      record.kind = LeakKind::kUnclassified;
      if (growth) record.growth = growth(trace, site.stack);
      record.node = node;
    }
    records[entry->second].blocks += site.live_blocks;
    records[entry->second].bytes += site.live_bytes;
  }
  return records;
}

absl::Status LeakBuilder::Add(const Trace& trace, const LeakRequest& request,
                              const GrowthOf& growth, const BlocksByStack* only) {
  const size_t count = trace.leak_checks.size();
  for (const size_t number : {request.check, request.since}) {
    if (number > count) return NoSuchCheck(trace, number);
  }
  book_->Begin(trace);
  LeakProcess process = ProcessOf(trace);
  process.check = request.check != 0 ? request.check : count;
  process.since = request.since;
  if (process.since != 0 && process.since >= process.check) {
    return absl::OutOfRangeError(absl::StrCat(trace.path, ": check ", process.since,
                                              " does not come before check ",
                                              process.check));
  }
  const LeakCheck* check =
      process.check == 0 ? nullptr : &trace.leak_checks[process.check - 1];
  process.classified = check != nullptr && check->classified;
  if (!process.classified) {
    process.reason = check != nullptr && !check->reason.empty()
                         ? check->reason
                         : WhyUnclassified(trace);
  }
  Records records = process.classified ? Classified(trace, *check, growth, only)
                                       : Unclassified(trace, growth);
  if (process.since != 0) {
    const LeakCheck& earlier = trace.leak_checks[process.since - 1];
    if (!earlier.classified || !process.classified) {
      return absl::FailedPreconditionError(
          absl::StrCat(trace.path, ": check ",
                       earlier.classified ? process.check : process.since,
                       " is not classified, so checks ", process.since, " and ",
                       process.check, " cannot be compared"));
    }
    Compare(Classified(trace, earlier, growth, only), &records);
  }
  if (trace.summary.sampling.interval != 0) {
    document_.warnings.push_back(
        absl::StrCat(trace.path, ": sampled: only one block in ",
                     trace.summary.sampling.interval,
                     " bytes allocated was followed; the others are not in here"));
  }
  // What the recorder has to say of this process: what it did not see.
  if (!trace.summary.detail_text.empty() &&
      trace.summary.end != EndReason::kDetached) {
    // Of a program that was run just now there is no file to name.
    document_.warnings.push_back(absl::StrCat(
        trace.path, trace.path.empty() ? "" : ": ", trace.summary.detail_text));
  }
  for (const std::string& warning : trace.warnings) {
    // The check tells all that there is to know.
    if (trace.still_recording && process.classified) break;
    document_.warnings.push_back(absl::StrCat(trace.path, ": ", warning));
  }
  if (check != nullptr) {
    for (const std::string& warning : check->warnings)
      document_.warnings.push_back(absl::StrCat(trace.path, ": ", warning));
  }
  AddRest(trace);
  document_.processes.push_back(std::move(process));
  std::move(records.begin(), records.end(), std::back_inserter(document_.records));
  return absl::OkStatus();
}

void LeakBuilder::AddRest(const Trace& trace) {
  const auto node = [&](uint32_t stack) {
    return stack == 0 ? kRootUnknown : book_->NodeOf(stack);
  };
  const size_t process = document_.processes.size();
  for (Mismatch mismatch : trace.mismatches.list) {
    const uint32_t allocated = node(mismatch.allocated_stack);
    const uint32_t freed = node(mismatch.freed_stack);
    if (!CorrectKinds(*book_, allocated, freed, &mismatch)) continue;
    document_.mismatches.push_back({process, mismatch, allocated, freed,
                                    node(mismatch.first_freed_stack),
                                    ThreadName(trace, mismatch.thread)});
  }
  for (PoolView& pool : PoolsOf(trace, process, book_))
    document_.pools.push_back(std::move(pool));
  if (trace.mismatches.left_out != 0) {
    document_.warnings.push_back(
        absl::StrCat(trace.path, ": ", trace.mismatches.left_out,
                     " more frees that do not fit were not kept"));
  }
}

LeakDocument LeakBuilder::Finish() {
  SortRecords(&document_);
  for (LeakRecord& record : document_.records)
    record.container = ContainerOf(*book_, record.node);
  for (const std::string& note : book_->notes()) document_.warnings.push_back(note);
  SumUp(&document_);
  return std::move(document_);
}

}  // namespace mallogram
