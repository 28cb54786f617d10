// A QEMU plugin that counts the instructions of marked regions of a Cortex-M program, exactly and repeatably.
// These are instructions, not cycles: QEMU does not know how long one takes.
//
//   begin of region id (0..255)   .inst.n 0xBF60   a hint that no core knows, so it does nothing; then
//                                 cmp r0, #id      so that the id is in the code
//   begin of a part               .inst.n 0xBF60   of the open region: region id + 256. Where none is open, it is none
//                                 cmp r1, #0
//   end                           mov r10, r10     nothing, and no compiler writes it
//
// A region that begins within another suspends it, and so does a part. Markers belong to no region, but to the total.
// Usage: qemu-system-arm ... -plugin count.so,out=FILE   writes {"total": n, "regions": {"id": {...}}} to FILE.
// Not with -icount. See firmware/region.hpp.
#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>

#include "tools/qemu/plugin_api.hpp"

namespace {

constexpr uint16_t kBegin = 0xBF60, kEnd = 0x46D2;
constexpr uint16_t kCompareR0 = 0x2800;                      // lower byte: the id
constexpr uint16_t kPart = 0x2900;                           // cmp r1, #0
constexpr uint16_t kRegions = 256, kNowhere = 2 * kRegions;  // regions, their parts, and a part of none
constexpr size_t kDepth = 16;

/// Instructions of a block that run one after the other, up to the next marker.
struct Run {
  uint16_t first = 0;  ///< half-word of its first instruction
  uint64_t instructions = 0;
};

struct Region {
  uint64_t entries = 0, instructions = 0;
};

struct Counter {
  std::deque<Run> runs;  ///< one for each piece of translated code; they stay where they are
  std::array<Region, kNowhere + 1> regions;
  std::array<uint16_t, kDepth> open = {};
  size_t depth = 0;
  bool id_follows = false;  ///< the last instruction was kBegin
  uint64_t total = 0;
  const char* error = nullptr;
  std::string path;
};
Counter& counter = *new Counter;  // never destroyed: on_exit() comes after destructors of static objects

/// What follows kBegin in a marker.
bool is_id(uint16_t code) { return (code & 0xFF00) == kCompareR0 || code == kPart; }

/// Runs alone: a marker, or what may be the id of one. Only 16-bit instructions begin with such half-words.
bool stands_alone(uint16_t code) { return code == kBegin || code == kEnd || is_id(code); }

uint16_t region_of(uint16_t id_code) {
  if (id_code != kPart) return id_code & 0xFF;
  return counter.depth == 0 ? kNowhere : counter.open[counter.depth - 1] | kRegions;
}

void begin_region(uint16_t id) {
  ++counter.regions[id].entries;
  if (counter.depth == kDepth)
    counter.error = "too many regions within each other";
  else
    counter.open[counter.depth++] = id;
}

void end_region() {
  if (counter.depth == 0)
    counter.error = "a region ends that has not begun";
  else
    --counter.depth;
}

void on_run(unsigned, void* data) {
  const Run& run = *static_cast<const Run*>(data);
  const bool begins = counter.id_follows && is_id(run.first);
  counter.id_follows = run.first == kBegin;
  counter.total += run.instructions;
  if (begins) return begin_region(region_of(run.first));
  if (run.first == kEnd) return end_region();
  if (run.first != kBegin && counter.depth > 0)
    counter.regions[counter.open[counter.depth - 1]].instructions += run.instructions;
}

/// Splits a block of code into runs. A block may end within a marker, so the id is looked for when it runs.
void on_block(qemu_plugin_id_t, qemu_plugin_tb* block) {
  Run* run = nullptr;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
    uint16_t code;
    std::memcpy(&code, qemu_plugin_insn_data(instruction), sizeof code);
    if (run == nullptr || stands_alone(code) || stands_alone(run->first)) {
      run = &counter.runs.emplace_back(Run{.first = code});
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_run, QEMU_PLUGIN_CB_NO_REGS, run);
    }
    ++run->instructions;
  }
}

void on_exit(qemu_plugin_id_t, void*) {
  std::FILE* out = std::fopen(counter.path.c_str(), "w");
  if (out == nullptr) return;
  if (counter.error != nullptr) {
    std::fprintf(out, "{\"error\": \"%s\"}\n", counter.error);
  } else {
    std::fprintf(out, "{\"total\": %llu, \"regions\": {", static_cast<unsigned long long>(counter.total));
    const char* separator = "";
    for (size_t id = 0; id < kNowhere; ++id) {
      const Region& region = counter.regions[id];
      if (region.entries == 0) continue;
      std::fprintf(out, "%s\n  \"%zu\": {\"entries\": %llu, \"instructions\": %llu}", separator, id,
                   static_cast<unsigned long long>(region.entries),
                   static_cast<unsigned long long>(region.instructions));
      separator = ",";
    }
    std::fprintf(out, "}}\n");
  }
  std::fclose(out);
}

}  // namespace

extern "C" {

[[gnu::visibility("default")]] int qemu_plugin_version = 1;

[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc,
                                                       char** argv) {
  if (argc != 1 || std::strncmp(argv[0], "out=", 4) != 0) {
    std::fprintf(stderr, "count: one argument is wanted, out=FILE\n");
    return 1;
  }
  counter.path = argv[0] + 4;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
  qemu_plugin_register_atexit_cb(id, on_exit, nullptr);
  return 0;
}
}
