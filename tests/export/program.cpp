// Trains an exported model as `mantissa train` does: the same samples in the same order. In the middle it saves its state to
// flash, loses it as by a reset, and goes on. samples.hpp holds data and settings, and names the model.
#include "examples/print.hpp"
#include "mantissa/train/schedule.hpp"
#include "mantissa/train/shuffle.hpp"
#include "samples.hpp"

namespace {

constexpr uint32_t kBatchesPerEpoch = kTrainSamples / model::kBatch;
constexpr uint32_t kTotal = kEpochs * kBatchesPerEpoch;

/// Two slots in RAM.
alignas(8) std::byte slots[2][model::kStateBytes];

mantissa::Flash flash() {
  return {.slot_bytes = model::kStateBytes,
          .unit = 8,
          .erase =
              [](void*, int32_t slot) {
                for (std::byte& byte : slots[slot]) byte = std::byte(0xFF);
                return true;
              },
          .program =
              [](void*, int32_t slot, uint32_t offset, std::span<const std::byte> bytes) {
                for (size_t i = 0; i < bytes.size(); ++i) slots[slot][offset + i] = bytes[i];
                return true;
              },
          .read =
              [](void*, int32_t slot, uint32_t offset, std::span<std::byte> bytes) {
                for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = slots[slot][offset + i];
                return true;
              }};
}

/// Everything in RAM but the flash is lost.
bool reset_in_between() {
  if (!model::save(flash()).ok()) return false;
  model::init(99, 1.0f);
  model::train_step(kTrainX[0], kTrainY[0]);
  return model::restore(flash()).ok();
}

/// Within a batch, prediction changes nothing, and nothing can be saved.
bool look_in_between(const float* x) {
  model::predict(x);
  return model::save(flash()).error.code == mantissa::ErrorCode::kBatchOpen;
}

bool train() {
  int32_t order[kTrainSamples];
  const float lr = model::sgd.lr;
  while (model::steps() < kTotal) {
    const uint32_t step = model::steps(), batch = step % kBatchesPerEpoch;
    mantissa::shuffle(order, kSeed, step / kBatchesPerEpoch);
    if (step == kTotal - 3 && !reset_in_between()) return false;
    model::sgd.lr = mantissa::learning_rate(kSchedule, lr, step, kTotal);
    for (int32_t i = 0; i < model::kBatch; ++i) {
      const int32_t sample = order[int32_t(batch) * model::kBatch + i];
      model::train_step(kTrainX[sample], model::kClasses);  // no class
      model::train_step(kTrainX[sample], kTrainY[sample]);
      if (i + 1 < model::kBatch && !look_in_between(kTestX[0])) return false;
    }
  }
  return true;
}

}  // namespace

int main() {
  if (!start()) return 1;
  print("start ", Hex{model::state_hash()}, "\n");
  if (!train()) return 1;
  int32_t correct = 0;
  for (int32_t i = 0; i < kTestSamples; ++i) correct += model::predict(kTestX[i]) == kTestY[i] ? 1 : 0;
  print("hash ", Hex{model::state_hash()}, "\ncorrect ", correct, " of ", kTestSamples, "\n");
  return 0;
}
