// How far gradients that are stored as codes are from float64 after many micro-batches, as the Markdown table of docs/gradients.md.
// By the engine's own function, so that what is measured is what trains:
//
//   c++ -std=c++20 -O2 -ffp-contract=off -Icore tools/gradient_error.cpp core/mantissa/kernels/gradient_ref.cpp -o gradient_error
//   ./gradient_error [seed]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "mantissa/kernels/gradient.hpp"

namespace {

using namespace mantissa;

constexpr int32_t kRows = 64, kColumns = 256, kMicroBatches = 100;
constexpr float kMargin =
    2.0f * 10.0f;  // the recipes' margin, for the square root of the number of micro-batches

/// Student t with 3 degrees of freedom: a normal number over the root of the mean of three squares.
std::vector<float> heavy_tailed(std::mt19937_64& random, size_t n) {
  std::normal_distribution<double> normal;
  std::vector<float> values(n);
  for (float& v : values) {
    double squares = 0;
    for (int i = 0; i < 3; ++i) {
      const double z = normal(random);
      squares += z * z;
    }
    v = float(normal(random) / std::sqrt(squares / 3));
  }
  return values;
}

/// Norm of the error over the norm of the sum.
template <class Value>
double relative_error(const std::vector<double>& exact, Value value) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    error += (value(i) - exact[i]) * (value(i) - exact[i]);
    norm += exact[i] * exact[i];
  }
  return std::sqrt(error / norm);
}

struct Outcome {
  double error = 0;
  double saturated = 0;  // of all codes that were written
};

Outcome accumulate(Format format, float margin, const std::vector<std::vector<float>>& sums,
                   const std::vector<double>& exact, uint64_t seed) {
  std::vector<uint8_t> codes(packed_bytes(exact.size(), format.bits));
  std::vector<GradientGrid> grids(kRows);
  const auto row_of = [&](int32_t row) {
    return StoredGradient{codes.data(), format, &grids[size_t(row)], uint32_t(row * kColumns), kColumns};
  };
  const RandomKey key = random_key(seed, 0, 6);
  for (uint32_t batch = 0; batch < sums.size(); ++batch)
    for (int32_t row = 0; row < kRows; ++row)
      join_gradient({.stored = row_of(row),
                     .sums = &sums[batch][size_t(row * kColumns)],
                     .element = Element::kFloat32,
                     .fixed_margin = margin,
                     .key = key,
                     .first_random = batch * uint32_t(exact.size()) + uint32_t(row * kColumns)});
  std::vector<double> values(exact.size());
  std::vector<int32_t> steps(kColumns);
  Outcome outcome;
  for (int32_t row = 0; row < kRows; ++row) {
    read_gradient(row_of(row), steps.data());
    for (int32_t i = 0; i < kColumns; ++i)
      values[size_t(row * kColumns + i)] = double(grids[size_t(row)].scale) * steps[size_t(i)];
    outcome.saturated += grids[size_t(row)].saturated;
  }
  outcome.saturated /= double(exact.size() * sums.size());
  outcome.error = relative_error(exact, [&](size_t i) { return values[i]; });
  return outcome;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  std::mt19937_64 random(seed);
  std::vector<double> exact(size_t(kRows) * kColumns);
  std::vector<float> single(exact.size());
  std::vector<std::vector<float>> sums;
  for (int32_t batch = 0; batch < kMicroBatches; ++batch) {
    sums.push_back(heavy_tailed(random, exact.size()));
    for (size_t i = 0; i < exact.size(); ++i) {
      exact[i] += double(sums.back()[i]);
      single[i] += sums.back()[i];
    }
  }
  std::printf("| stored as | bytes per element | rescale | fixed | saturated |\n|---|---|---|---|---|\n");
  std::printf("| float32 | 4 | %.1e | %.1e | |\n",
              relative_error(exact, [&](size_t i) { return double(single[i]); }),
              relative_error(exact, [&](size_t i) { return double(single[i]); }));
  for (const bool is_asym : {false, true})
    for (const int bits : {16, 12, 8, 6, 4, 2}) {
      const Format format = is_asym ? asym_format(bits) : sym_format(bits);
      const Outcome rescale = accumulate(format, 0.0f, sums, exact, seed);
      const Outcome fixed = accumulate(format, kMargin, sums, exact, seed);
      std::printf("| %ssym%d | %.3g | %.2g | %.2g | %.2g %% |\n", is_asym ? "a" : "", bits,
                  bits / 8.0 + double(sizeof(GradientGrid)) / kColumns, rescale.error, fixed.error,
                  100 * fixed.saturated);
    }
}
