// A network written in C++, planned by the compiler, trained in a fixed array: on a PC and, from the same source, on a
// microcontroller, to the same bits.
// It learns to tell square, sawtooth and triangle waves of any period, phase and offset apart, in integers.
#include <array>

#include "examples/print.hpp"
#include "mantissa/engine/engine.hpp"
#include "mantissa/engine/kernels_for.hpp"
#include "mantissa/num/random.hpp"
#include "mantissa/plan/compact_plan.hpp"

using namespace mantissa;

constexpr int kSteps = 32, kClasses = 3, kBatch = 16;

constexpr auto kModel =
    make_model(Shape{kSteps, 1}, conv1d({.channels = 8, .kernel = 5, .padding = Padding::kSame}), relu(),
               max_pool1d({.kernel = 2}), conv1d({.channels = 8, .kernel = 3, .padding = Padding::kSame}),
               relu(), max_pool1d({.kernel = 2}), flatten(), linear({.features = kClasses}));

// One sample in memory at a time, sixteen to an update.
constexpr auto kMade = plan(kModel, int8_recipe(), {.batch = kBatch, .micro_batch = 1, .tile_bytes = 256});
constexpr auto kPlan = compact<kMade>();
static_assert(kPlan.summary.arena_bytes < 8 * 1024, "training must fit in half of a 16 KB microcontroller");

constexpr Kernels kKernels = kernels_for<RefKernels>(kPlan.view());  // no others are linked

alignas(8) static std::array<std::byte, kPlan.summary.arena_bytes> arena;

/// Wave `index`: its label is index % 3, everything else is random.
int32_t make_wave(uint32_t index, float* x) {
  const RandomKey key = random_key(7, index, 0);
  const int32_t label = int32_t(index % kClasses), period = 6 + int32_t(random_below(key, 0, 10));
  const int32_t phase = int32_t(random_below(key, 1, uint32_t(period)));
  const float offset = float(random_below(key, 2, 1000)) / 1000.0f - 0.5f;
  for (int32_t t = 0; t < kSteps; ++t) {
    const float u = float((t + phase) % period) / float(period);  // 0 to 1 over a period
    const float wave[kClasses] = {u < 0.5f ? 1.0f : -1.0f, 2.0f * u - 1.0f,
                                  u < 0.5f ? 4.0f * u - 1.0f : 3.0f - 4.0f * u};
    const float noise = float(random_below(key, uint32_t(8 + t), 1000)) / 2500.0f - 0.2f;
    x[t] = wave[label] + offset + noise;
  }
  return label;
}

int main() {
  Result<Engine> bound = Engine::bind(kPlan.view(), arena, kKernels);
  if (!bound.ok()) return 1;
  Engine& engine = bound.value;
  engine.initialize(1);
  engine.set_input_range(1.7f);

  float x[kSteps];
  uint32_t wave = 0;
  for (int batch = 0; batch < 400; ++batch) {
    int64_t loss = 0;
    int32_t correct = 0;
    const int32_t first_label = make_wave(wave, x);
    engine.begin_batch(kBatch, {.lr = 0.02f, .momentum = 0.9f}, x, first_label);
    for (int i = 0; i < kBatch; ++i, ++wave) {
      const int32_t label = make_wave(wave, x);
      const BatchResult result = engine.accumulate(x, &label, 1);
      loss += result.loss_q24;
      correct += result.correct;
    }
    engine.end_batch();
    if (batch % 50 == 49)
      print("batch ", batch + 1, "  loss ", Q24{loss / kBatch}, "  correct ", correct, " of ", kBatch, "\n");
  }

  int32_t correct = 0;
  constexpr int kTests = 600;
  for (int i = 0; i < kTests; ++i) {
    const int32_t label = make_wave(1000000u + uint32_t(i), x);
    correct += engine.evaluate(x, &label, 1, nullptr).correct;
  }
  print("new waves: ", correct, " of ", kTests, " correct, ", kPlan.summary.arena_bytes,
        " bytes of memory, state ", Hex{engine.state_hash()}, "\n");
  return correct > kTests * 9 / 10 ? 0 : 1;
}
