// What a host hands to the training firmware: a plan and the settings of a run, as bytes in flash.
// The runner is built once per core; the host writes a job into the room that its program file keeps for one.
// A plan has no pointers and only types of fixed size, so both sides read the same bytes; `layout` refuses a
// host that disagrees.
#pragma once
#include <cstddef>
#include <cstdint>

#include "mantissa/plan/plan.hpp"
#include "mantissa/train/schedule.hpp"

namespace mantissa::firmware {

inline constexpr char kJobMagic[16] = "mantissa job 5\0";
#ifndef MANTISSA_JOB_KIB
#define MANTISSA_JOB_KIB 24
#endif
inline constexpr uint32_t kJobBytes = MANTISSA_JOB_KIB * 1024;  ///< room in flash, header and arrays

/// Sizes of what is copied as it lies in memory; see job_layout().
struct JobLayout {
  uint16_t job = 0, layer = 0, tensor = 0, step = 0;
  constexpr bool operator==(const JobLayout&) const = default;
};

enum class JobTask : uint32_t {
  kTrain,
  kCount,  ///< train, with regions for the counter of instructions (tools/qemu/count.cpp): see step_region()
};

/// Regions of kCount: one for each step of the plan, whose part is its matrix product; and within it, but not counted with it,
/// what it holds.
/// Everything else between the first sample of a batch and the end of its update is kBatchRegion.
inline constexpr uint8_t kBatchRegion = 255, kReadRegion = 247;
inline constexpr int32_t kMostCountedLayers = 31;
constexpr uint8_t step_region(StepKind kind, int32_t layer) {
  const StepKind counted = kind == StepKind::kReadOther   ? StepKind::kRead
                           : kind == StepKind::kSumErrors ? StepKind::kBackward
                                                          : kind;
  return uint8_t((layer & 31) * 8 + int32_t(counted));  // the input has no layer: -1
}

/// File names are relative to the folder in which the emulator (or debugger) runs.
struct Job {
  char magic[16] = {};
  JobLayout layout;
  JobTask task = JobTask::kTrain;
  PlanSummary summary;
  uint32_t layers_at = 0, tensors_at = 0,
           steps_at = 0;          ///< byte offsets from the start of the job, multiples of 8
  uint32_t class_weights_at = 0;  ///< likewise; as many as the summary says

  // Memory, in bytes and multiples of 8, from the end of static data on: arena, sample, stack. The plan stages its input in the arena;
  // where the sample is its own target, it waits beside it until the loss has seen it.
  uint32_t arena_bytes = 0, sample_bytes = 0, stack_bytes = 0;

  // The run, as in `mantissa train`.
  uint64_t seed = 1;
  uint32_t epochs = 1, samples = 0;  ///< samples per epoch
  float input_range = 1.0f;
  float lr = 0.05f, momentum = 0.9f, weight_decay = 0.0f;
  Schedule schedule = Schedule::kConstant;
  uint32_t count_from = 0;  ///< kCount: batches before this one are not marked

  char start_file[16] =
      "start.bin";  ///< the arena with which training starts; empty: as initialize() makes it
  char samples_file[16] = "samples.bin";  ///< float32 [samples, T, C]
  char labels_file[16] = "labels.bin";    ///< int32 [samples]; not read where samples are their own targets
  char order_file[16] = "order.bin";      ///< int32 [epochs, samples]: which sample comes when
  char result_file[16] = "result.bin";    ///< written: JobResult, EpochSum[epochs], then the arena
};

constexpr JobLayout job_layout() { return {sizeof(Job), sizeof(LayerPlan), sizeof(Tensor), sizeof(Step)}; }

/// Sums over an epoch, as EpochResult on the host.
struct EpochSum {
  int64_t loss_q24 = 0;
  int64_t correct = 0;
  int64_t weight = 0;  ///< as BatchResult's: the mean loss is loss_q24 2^15 / weight
};

/// What comes back, before the sums of the epochs and the arena byte by byte. It is written last: the result
/// of a run that was interrupted has no magic.
struct JobResult {
  char magic[16] = {};  ///< kJobMagic
  uint64_t state_hash = 0;
  uint64_t saturated = 0;
  uint32_t steps = 0;
  uint32_t stack_used = 0;    ///< bytes, from the painted stack
  uint32_t static_bytes = 0;  ///< .data and .bss
  uint32_t reserved = 0;
};

}  // namespace mantissa::firmware
