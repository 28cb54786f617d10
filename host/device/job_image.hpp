// A plan and the settings of a run, written into a copy of a board's program.
#pragma once
#include <cstddef>
#include <vector>

#include "firmware/job.hpp"
#include "host/device/board_plan.hpp"
#include "host/file/model_file.hpp"
#include "host/model/description.hpp"

namespace mantissa::host {

/// What a run is, beside the plan.
struct JobSettings {
  TrainingDefaults training;  ///< `batch` is the plan's
  uint32_t samples = 0;       ///< per epoch
  float input_range = 0;      ///< largest magnitude of a normalised input
  firmware::JobTask task = firmware::JobTask::kTrain;
  uint32_t count_from = 0;            ///< kCount: batches before this one are not counted
  const SavedModel* start = nullptr;  ///< whose parameters training starts with; null: random ones
};

/// The job as it lies in flash.
std::vector<std::byte> make_job(const PlanView& plan, const BoardMemory& memory, const JobSettings& settings);

/// The board's program with the job in it and a stack that begins where the planned memory ends.
/// Throws Error if the plan has more layers than the program has room for.
FirmwareImage image_with_job(const BoardPlan& plan, const JobSettings& settings);

}  // namespace mantissa::host
