// The training loop: epochs of shuffled batches, with a learning rate that may fall.
// All that decides the bits of a run is in TrainerOptions and the data; time and threads only decide how long
// it takes.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "host/data/split.hpp"
#include "host/model/description.hpp"
#include "host/train/arena.hpp"
#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

struct EpochResult {
  int epoch = 0;        ///< from 1
  double loss = 0;      ///< mean over the epoch, each sample with the parameters of its batch
  double accuracy = 0;  ///< likewise
  int64_t samples = 0;
  double seconds = 0;
  bool complete = false;  ///< not interrupted
  int64_t loss_q24 = 0;   ///< the sums that the means are of: nats in Q24,
  int64_t correct = 0;    ///< and samples,
  int64_t weight = 0;     ///< and the weights of their classes, as BatchResult's
};

/// Where a run is, for a progress bar.
struct TrainingMoment {
  EpochResult epoch;          ///< so far
  double share_of_epoch = 0;  ///< that is done
  int64_t samples_left = 0;   ///< of the run
};

struct TrainerHooks {
  std::function<void(const TrainingMoment&)> on_progress;  ///< several times per second
  const std::atomic<bool>* stop = nullptr;  ///< once true, the run ends after the current batch
  std::function<void()> after_batch = {};   ///< may throw, which ends the run there
};

/// Samples are read into one buffer of a micro-batch; a step allocates nothing.
class Trainer {
 public:
  /// `settings.batch` is the plan's. Throws Error if the run has more steps than can be counted. Everything
  /// given must outlive the trainer. An engine whose progress is not at step 0 is taken up where it stopped.
  Trainer(Engine& engine, Arena& arena, const Split& train, const TrainingDefaults& settings,
          TrainerHooks hooks = {}, Target target = Target::kLabel);

  /// True when all epochs are done or a stop was asked for.
  bool finished() const;
  /// Trains to the end of the epoch, or to the stop.
  EpochResult run_epoch();

  /// Of the whole run, also where it was taken up: complete epochs, and samples of the next one.
  uint32_t epochs_done() const { return engine_.progress().step / steps_per_epoch_; }
  uint64_t samples_into_epoch() const;

  /// Samples per second in training, since this trainer began.
  double samples_per_second() const;
  bool stopped() const { return hooks_.stop != nullptr && hooks_.stop->load(std::memory_order_relaxed); }

 private:
  struct Sums {
    int64_t loss_q24 = 0, correct = 0, samples = 0;
    int64_t weight = 0;  ///< of the samples, 2^15 being one
  };
  void run_batch(size_t first, size_t count, Sums& sums);
  void read(size_t first, size_t count);
  int64_t samples_left() const;
  static EpochResult result_of(uint32_t epoch, const Sums& sums, double seconds);

  Engine& engine_;
  Arena& arena_;
  const Split& train_;
  TrainingDefaults settings_;
  TrainerHooks hooks_;
  Target target_;
  uint32_t steps_per_epoch_ = 0, total_steps_ = 0;
  std::vector<int32_t> order_;
  std::vector<float> x_;         ///< [micro-batch, T, C]
  std::vector<int32_t> labels_;  ///< [micro-batch]
  uint32_t steps_done_ = 0;      ///< by this trainer
  int64_t samples_done_ = 0;
  double seconds_ = 0;
};

}  // namespace mantissa::host
