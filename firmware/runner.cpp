// The training program for any model: does the job that the host has written into its flash.
// Samples come over semihosting one by one, so that the data set need not fit; weights and losses go back so.
#include <cstring>

#include "firmware/console.hpp"
#include "firmware/job.hpp"
#include "firmware/memory.hpp"
#include "firmware/region.hpp"
#include "mantissa/engine/engine.hpp"
#include "mantissa/kernels/kernels_small.hpp"

extern "C" const std::byte __job_start[];  // from sections.ld

namespace mantissa::firmware {
namespace {

enum ExitCode { kDone, kBadJob = 2, kBadFile = 3, kStackTooSmall = 4 };

struct JobRoom {
  alignas(8) std::byte bytes[kJobBytes];
};
[[gnu::section(".job"), gnu::used]] const JobRoom job_room = {};

const Job& job() { return *reinterpret_cast<const Job*>(__job_start); }

template <class T>
std::span<const T> array_at(uint32_t offset, int32_t count) {
  return {reinterpret_cast<const T*>(__job_start + offset), size_t(count)};
}

[[noreturn]] void fail(ExitCode code, const char* what, const char* which = "") {
  Console() << "error: " << what << which << "\n";
  exit_with(code);
}

/// Whether samples are their own targets.
bool is_own_target() { return job().sample_bytes > 0; }

/// Where the job says that memory is divided, in the order of addresses.
struct Memory {
  std::span<std::byte> arena;
  std::span<float> sample;  ///< empty where the arena has room for it
  const std::byte* stack_limit;
};

Memory divide_memory() {
  std::byte* const arena = __static_end;
  std::byte* const sample = arena + job().arena_bytes;
  std::byte* const stack = sample + job().sample_bytes;
  if (stack_top() != stack + job().stack_bytes)
    fail(kBadJob, "the initial stack pointer is not where the job's memory ends");
  const size_t values = is_own_target() ? size_t(job().summary.input.size()) : 0;
  return {{arena, job().arena_bytes}, {reinterpret_cast<float*>(sample), values}, stack};
}

bool fits(uint32_t offset, int32_t count, size_t size) {
  return offset % 8 == 0 && offset <= kJobBytes && count >= 0 && size_t(count) <= (kJobBytes - offset) / size;
}

void check_job() {
  const Job& j = job();
  const PlanSummary& s = j.summary;
  if (std::memcmp(j.magic, kJobMagic, sizeof kJobMagic) != 0)
    fail(kBadJob, "there is no job in section .job of this program");
  if (!(j.layout == job_layout())) fail(kBadJob, "the job is from another version of the host's program");
  if (!fits(j.layers_at, s.layers, sizeof(LayerPlan)) || !fits(j.tensors_at, s.tensors, sizeof(Tensor)) ||
      !fits(j.steps_at, s.steps, sizeof(Step)) ||
      !fits(j.class_weights_at, int32_t(s.loss_settings.class_weights.count), sizeof(float)))
    fail(kBadJob, "the plan goes beyond the end of the job");
  if (s.micro_batch != 1) fail(kBadJob, "the plan's micro-batch is not 1");
  if (is_own_target() ? j.sample_bytes / sizeof(float) < size_t(s.input.size()) : s.sample_tensor < 0)
    fail(kBadJob, "the plan has no room for a sample");
  if (is_own_target() && s.classes != s.input.size())
    fail(kBadJob, "samples are to be their own targets, but the model has another number of outputs");
  if (j.task == JobTask::kCount && s.layers > kMostCountedLayers)
    fail(kBadJob, "the model has more layers than can be counted");
  if (j.samples == 0 || j.epochs == 0) fail(kBadJob, "there is nothing to train: no samples or no epochs");
}

PlanView plan_of_job() {
  const Job& j = job();
  const PlanSummary& s = j.summary;
  PlanView plan = {s,
                   array_at<LayerPlan>(j.layers_at, s.layers),
                   array_at<Tensor>(j.tensors_at, s.tensors),
                   array_at<Step>(j.steps_at, s.steps),
                   {}};
  plan.summary.loss_settings.class_weights =
      array_at<float>(j.class_weights_at, int32_t(s.loss_settings.class_weights.count));
  return plan;
}

/// A file that must be there, whole.
class InputFile {
 public:
  explicit InputFile(const char* path) : path_(path), file_(path, OpenMode::kReadBinary) {
    if (!file_.is_open()) fail(kBadFile, "cannot open ", path_);
  }
  /// Reads item `index` of items of this size.
  template <class T>
  void read(uint32_t index, std::span<T> item) {
    if (!file_.seek(index * uint32_t(item.size_bytes())) || !file_.read(std::as_writable_bytes(item)))
      fail(kBadFile, "cannot read as many items as the job wants from ", path_);
  }
  int32_t read_int(uint32_t index) {
    int32_t value;
    read(index, std::span(&value, 1));
    return value;
  }

 private:
  const char* path_;
  File file_;
};

/// JobResult, EpochSum[epochs], the arena's bytes.
class ResultFile {
 public:
  ResultFile() : file_(job().result_file, OpenMode::kWriteBinary) { write(JobResult{}); }
  template <class T>
  void write(const T& value) {
    write_bytes(std::as_bytes(std::span(&value, 1)));
  }
  void write_bytes(std::span<const std::byte> bytes) {
    if (!file_.write(bytes)) fail(kBadFile, "cannot write ", job().result_file);
  }
  void finish(const JobResult& result) {
    file_.seek(0);
    write(result);
    file_.close();
  }

 private:
  File file_;
};

/// Marks steps of the plan for the counter of instructions.
constexpr Probe kMarkSteps = {
    .begin = [](void*, StepKind kind, int32_t layer) { begin_region(step_region(kind, layer)); },
    .end = [](void*, StepKind, int32_t) { end_region(); }};

/// Epochs of batches, as host/train/trainer.cpp.
class Training {
 public:
  Training(Engine& engine, std::span<float> sample)
      : engine_(engine), sample_(is_own_target() ? sample : engine.sample()) {}

  EpochSum run_epoch(uint32_t epoch) {
    const uint32_t batch = uint32_t(engine_.plan().summary.batch), samples = job().samples;
    EpochSum sum;
    for (uint32_t at = 0; at < samples; at += batch) {
      const uint32_t first = epoch * samples + at, count = at + batch > samples ? samples - at : batch;
      const bool counts = job().task == JobTask::kCount && engine_.progress().step >= job().count_from;
      counts ? run_counted_batch(first, count, sum) : run_batch(first, count, sum);
    }
    return sum;
  }

 private:
  void run_counted_batch(uint32_t first, uint32_t count, EpochSum& sum) {
    engine_.set_probe(kMarkSteps);
    begin_region<kBatchRegion>();
    run_batch(first, count, sum);
    end_region();
  }

  void run_batch(uint32_t first, uint32_t count, EpochSum& sum) {
    const Job& j = job();
    const uint32_t batch = uint32_t(engine_.plan().summary.batch);
    const uint32_t steps = (j.samples + batch - 1) / batch * j.epochs;
    const float lr = learning_rate(j.schedule, j.lr, engine_.progress().step, steps);
    const float* const x = sample_.data();
    for (uint32_t i = 0; i < count; ++i) {
      int32_t label = read_sample(first + i);
      const Targets targets = is_own_target() ? Targets(x) : Targets(&label);
      if (i == 0) {
        const bool calibrates = !engine_.progress().calibrated;  // which overwrites a sample in the arena
        engine_.begin_batch(int32_t(count), {lr, j.momentum, j.weight_decay}, x, targets);
        if (calibrates) label = read_sample(first);
      }
      const BatchResult result = engine_.accumulate(x, targets, 1);
      sum.loss_q24 += result.loss_q24;
      sum.correct += result.correct;
      sum.weight += result.weight;
    }
    engine_.end_batch();
  }

  /// Reads the sample that comes at this place of the run; returns its label, if it is asked for.
  int32_t read_sample(uint32_t place) {
    begin_region<kReadRegion>();
    const uint32_t sample = uint32_t(order_.read_int(place));
    samples_.read(sample, sample_);
    const int32_t label = is_own_target() ? 0 : labels_.read_int(sample);
    if (label < 0 || label >= engine_.plan().summary.classes)
      fail(kBadFile, "a label is not a class of the model in ", job().labels_file);
    end_region();
    return label;
  }

  Engine& engine_;
  std::span<float> sample_;
  InputFile samples_{job().samples_file}, labels_{job().labels_file}, order_{job().order_file};
};

/// Floored, in Q24. The remainder is below 2^15 for each sample, so it has room to be shifted.
int64_t mean_loss(const EpochSum& sum) {
  if (sum.weight <= 0) return 0;
  return (sum.loss_q24 / sum.weight << 15) + (sum.loss_q24 % sum.weight << 15) / sum.weight;
}

void print_epoch(Console& console, uint32_t epoch, const EpochSum& sum) {
  console << "epoch " << epoch + 1 << " loss ";
  console.q24(mean_loss(sum));
  if (!is_own_target()) console << " correct " << uint32_t(sum.correct) << " of " << job().samples;
  console << "\n";
}

/// The kernels, with each matrix product marked as a part of its step.
constexpr GemmKernel kMarkedProduct = {.scratch = MANTISSA_KERNELS.gemm->scratch,
                                       .run =
                                           [](const Gemm& gemm) {
                                             begin_part();
                                             MANTISSA_KERNELS.gemm->run(gemm);
                                             end_region();
                                           },
                                       .prepare = MANTISSA_KERNELS.gemm->prepare};
constexpr Kernels kMarkedKernels = [] {
  Kernels kernels = MANTISSA_KERNELS;
  kernels.gemm = &kMarkedProduct;
  return kernels;
}();

// Start and end are functions of their own, so that training does not find their variables on its stack.
[[gnu::noinline]] Result<Engine> bind_job(std::span<std::byte> arena) {
  return Engine::bind(plan_of_job(), arena,
                      job().task == JobTask::kCount ? kMarkedKernels : MANTISSA_KERNELS);
}

[[gnu::noinline]] void finish(const Engine& engine, const Memory& memory, ResultFile& file) {
  file.write_bytes(memory.arena);
  JobResult result;
  std::memcpy(result.magic, kJobMagic, sizeof kJobMagic);
  result.state_hash = engine.state_hash();
  result.saturated = engine.saturated();
  result.steps = engine.progress().step;
  result.stack_used = stack_used(memory.stack_limit);
  result.static_bytes = static_bytes();
  // A frame may leave words of it unwritten, the last ones, too.
  constexpr uint32_t kGuard = 32;
  if (result.stack_used + kGuard > job().stack_bytes) fail(kStackTooSmall, "the stack has reached its end");
  file.finish(result);
}

void run() {
  check_job();
  const Memory memory = divide_memory();
  Result<Engine> bound = bind_job(memory.arena);
  if (!bound.ok()) fail(kBadJob, "the plan does not fit the job's arena or this program's kernels");
  Engine& engine = bound.value;
  engine.initialize(job().seed);
  engine.set_input_range(job().input_range);
  if (job().start_file[0] != '\0') InputFile(job().start_file).read(0, memory.arena);

  Console console;
  ResultFile file;
  Training training(engine, memory.sample);
  for (uint32_t epoch = 0; epoch < job().epochs; ++epoch) {
    const EpochSum sum = training.run_epoch(epoch);
    file.write(sum);
    print_epoch(console, epoch, sum);
  }
  finish(engine, memory, file);
}

}  // namespace
}  // namespace mantissa::firmware

int main() {
  mantissa::firmware::run();
  return mantissa::firmware::kDone;
}
