// Draws batches in shuffled order and steps the engine.
// At batch 1 a step takes some 20 microseconds, so the clock is looked at only now and then.
#include "host/train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "host/error.hpp"
#include "mantissa/train/shuffle.hpp"

namespace mantissa::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kSamplesPerLook = 16;  // at the clock
constexpr double kSecondsPerReport = 0.1;
constexpr uint32_t kMeasuredSteps = 8;  // in which the arena's peak is measured

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A last batch of one sample has no variance where a layer sees a single step of it.
void require_variances(const PlanView& plan, size_t in_last_batch) {
  if (in_last_batch != 1) return;
  for (const LayerPlan& l : plan.layers)
    if (l.follows_batch && l.in.steps == 1)
      throw Error(
          fmt::format("the last batch of each epoch has 1 sample, which gives a batch_norm one value per "
                      "channel and no variance; use a batch other than {}, or leave a sample out",
                      plan.summary.batch));
}

}  // namespace

Trainer::Trainer(Engine& engine, Arena& arena, const Split& train, const TrainingDefaults& settings,
                 TrainerHooks hooks, Target target)
    : engine_(engine),
      arena_(arena),
      train_(train),
      settings_(settings),
      hooks_(std::move(hooks)),
      target_(target) {
  const PlanSummary& plan = engine.plan().summary;
  const size_t batch = static_cast<size_t>(plan.batch);
  const uint64_t per_epoch = (train.size() + batch - 1) / batch;
  const uint64_t total = per_epoch * static_cast<uint64_t>(settings.epochs);
  if (total > std::numeric_limits<uint32_t>::max())
    throw Error(
        fmt::format("{} epochs of {} batches are {} steps; at most {} can be counted: use a larger "
                    "batch or fewer epochs",
                    settings.epochs, per_epoch, total, std::numeric_limits<uint32_t>::max()));
  require_variances(engine.plan(), train.size() % batch);
  steps_per_epoch_ = static_cast<uint32_t>(per_epoch);
  total_steps_ = static_cast<uint32_t>(total);
  order_.resize(train.size());
  x_.resize(static_cast<size_t>(plan.micro_batch) * static_cast<size_t>(plan.input.size()));
  labels_.resize(static_cast<size_t>(plan.micro_batch));
}

bool Trainer::finished() const { return stopped() || engine_.progress().step >= total_steps_; }

uint64_t Trainer::samples_into_epoch() const {
  return uint64_t{engine_.progress().step % steps_per_epoch_} *
         static_cast<uint64_t>(engine_.plan().summary.batch);
}

double Trainer::samples_per_second() const {
  return seconds_ > 0 ? static_cast<double>(samples_done_) / seconds_ : 0;
}

EpochResult Trainer::run_epoch() {
  const auto start = Clock::now();
  const auto batch = static_cast<size_t>(engine_.plan().summary.batch);
  const uint32_t epoch = epochs_done();
  const size_t begin = samples_into_epoch();
  shuffle(order_, settings_.seed, epoch);

  Sums sums;
  double reported = 0;
  size_t at = begin, looked = begin;
  while (at < train_.size() && !stopped()) {
    const size_t count = std::min(batch, train_.size() - at);
    run_batch(at, count, sums);
    at += count;
    if (at - looked < kSamplesPerLook || !hooks_.on_progress) continue;
    looked = at;
    const double now = seconds_since(start);
    if (now - reported < kSecondsPerReport) continue;
    reported = now;
    const double share = static_cast<double>(at) / static_cast<double>(train_.size());
    hooks_.on_progress({result_of(epoch, sums, now), share, samples_left()});
  }
  EpochResult result = result_of(epoch, sums, seconds_since(start));
  result.complete = at == train_.size();
  samples_done_ += result.samples;
  seconds_ += result.seconds;
  return result;
}

void Trainer::run_batch(size_t first, size_t count, Sums& sums) {
  const uint32_t step = engine_.progress().step;
  const SgdSettings sgd{
      .lr = learning_rate(settings_.schedule, static_cast<float>(settings_.lr), step, total_steps_),
      .momentum = static_cast<float>(settings_.momentum),
      .weight_decay = static_cast<float>(settings_.weight_decay)};
  const bool measures = steps_done_ < kMeasuredSteps;
  if (measures) arena_.paint(steps_done_);
  const auto micro = labels_.size();
  for (size_t done = 0; done < count; done += micro) {
    const size_t now = std::min(micro, count - done);
    read(first + done, now);
    const Targets targets = target_ == Target::kInput ? Targets(x_.data()) : Targets(labels_.data());
    if (done == 0) engine_.begin_batch(static_cast<int32_t>(count), sgd, x_.data(), targets);
    const BatchResult r = engine_.accumulate(x_.data(), targets, static_cast<int32_t>(now));
    sums.loss_q24 += r.loss_q24;
    sums.correct += r.correct;
    sums.weight += r.weight;
  }
  engine_.end_batch();
  if (measures) arena_.look(steps_done_);
  ++steps_done_;
  sums.samples += static_cast<int64_t>(count);
  if (hooks_.after_batch) hooks_.after_batch();
}

void Trainer::read(size_t first, size_t count) {
  const size_t size = x_.size() / labels_.size();
  for (size_t i = 0; i < count; ++i) {
    const auto sample = static_cast<size_t>(order_[first + i]);
    train_.read(sample, x_.data() + i * size);
    labels_[i] = train_.label(sample);
  }
}

int64_t Trainer::samples_left() const {
  const int64_t epochs = int64_t{settings_.epochs} - epochs_done();
  return epochs * static_cast<int64_t>(train_.size()) - static_cast<int64_t>(samples_into_epoch());
}

EpochResult Trainer::result_of(uint32_t epoch, const Sums& sums, double seconds) {
  const auto samples = static_cast<double>(std::max<int64_t>(sums.samples, 1));
  const double weight = static_cast<double>(std::max<int64_t>(sums.weight, 1)) / (1 << 15);
  return {.epoch = static_cast<int>(epoch) + 1,
          .loss = static_cast<double>(sums.loss_q24) / (1 << 24) / weight,
          .accuracy = static_cast<double>(sums.correct) / samples,
          .samples = sums.samples,
          .seconds = seconds,
          .loss_q24 = sums.loss_q24,
          .correct = sums.correct,
          .weight = sums.weight};
}

}  // namespace mantissa::host
