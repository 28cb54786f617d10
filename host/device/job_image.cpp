// Copies the plan's arrays behind the job's header, each at a multiple of 8.
#include "host/device/job_image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

using firmware::Job;

static_assert(std::endian::native == std::endian::little,
              "a job is read where it lies, by little-endian cores");

/// Returns where the array begins.
template <class T>
uint32_t append(std::vector<std::byte>& job, std::span<const T> array) {
  static_assert(std::is_trivially_copyable_v<T>);
  const size_t begin = (job.size() + 7) / 8 * 8;
  job.resize(begin + array.size_bytes());
  std::ranges::copy(std::as_bytes(array), job.begin() + static_cast<ptrdiff_t>(begin));
  return static_cast<uint32_t>(begin);
}

Job header_of(const PlanView& plan, const BoardMemory& memory, const JobSettings& settings) {
  const TrainingDefaults& t = settings.training;
  Job job;
  std::memcpy(job.magic, firmware::kJobMagic, sizeof job.magic);
  job.layout = firmware::job_layout();
  job.summary = plan.summary;
  job.arena_bytes = memory.arena_bytes;
  job.sample_bytes = memory.sample_bytes;
  job.stack_bytes = memory.stack_bytes;
  job.seed = t.seed;
  job.epochs = static_cast<uint32_t>(t.epochs);
  job.samples = settings.samples;
  job.input_range = settings.input_range;
  job.lr = static_cast<float>(t.lr);
  job.momentum = static_cast<float>(t.momentum);
  job.weight_decay = static_cast<float>(t.weight_decay);
  job.schedule = t.schedule;
  job.task = settings.task;
  if (settings.start == nullptr) job.start_file[0] = '\0';
  job.count_from = settings.count_from;
  const bool has_more_batches = settings.samples * job.epochs > static_cast<uint32_t>(plan.summary.batch);
  job.count_from = has_more_batches ? 1 : 0;  // the first one calibrates, which is not what a step takes
  return job;
}

}  // namespace

std::vector<std::byte> make_job(const PlanView& plan, const BoardMemory& memory,
                                const JobSettings& settings) {
  Job header = header_of(plan, memory, settings);
  std::vector<std::byte> job(sizeof header);
  header.layers_at = append(job, plan.layers);
  header.tensors_at = append(job, plan.tensors);
  header.steps_at = append(job, plan.steps);
  header.class_weights_at = append(job, std::span<const float>(plan.summary.loss_settings.class_weights));
  std::memcpy(job.data(), &header, sizeof header);
  return job;
}

FirmwareImage image_with_job(const BoardPlan& plan, const JobSettings& settings) {
  FirmwareImage image = plan.image();
  const std::vector<std::byte> job = make_job(plan.view(), plan.memory(), settings);
  const uint32_t start = image.symbol("__job_start"), room = image.symbol("__job_end") - start;
  if (job.size() > room)
    throw Error(
        fmt::format("the plan of {} layers takes {} bytes of flash, and the board's program has room for {}; "
                    "a model with fewer layers fits",
                    plan.view().summary.layers, job.size(), room));
  image.write(start, job);
  const uint32_t stack_top = image.symbol("__ram_start") + static_cast<uint32_t>(plan.memory().total());
  image.write(image.symbol("__vectors_start"), std::as_bytes(std::span(&stack_top, 1)));
  return image;
}

}  // namespace mantissa::host
