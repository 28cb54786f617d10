// What a run came to, for a person and as JSON.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/model/description.hpp"
#include "host/train/evaluate.hpp"
#include "host/train/reconstruction.hpp"
#include "host/train/saturation.hpp"

namespace mantissa::host {

struct Results {
  std::string model, recipe, kernels, version;
  bool is_float = false;
  std::vector<std::string> class_names;
  uint64_t seed = 0;
  int epochs = 0;     ///< trained in this run, complete ones
  int64_t steps = 0;  ///< updates of the parameters so far
  int batch = 0, micro_batch = 0, threads = 1;
  bool interrupted = false;
  std::vector<double> train_loss, train_accuracy;  ///< per epoch
  double samples_per_second = 0;                   ///< in training; in an evaluation alone, of it
  int64_t parameters = 0;
  uint64_t arena_bytes = 0;  ///< planned
  uint64_t peak_bytes = 0;   ///< measured; 0 if nothing was trained
  std::vector<Saturation> saturated;
  uint64_t weights_hash = 0;
  std::optional<Evaluation> test;
  std::optional<Reconstruction> reconstruction;  ///< in place of test, where the target is the input
};

/// Lines for a terminal of so many columns.
std::string results_text(const Results& results, size_t columns);

/// A JSON object; what was not measured is null.
std::string results_json(const Results& results);

/// Part of it, and of what a board's run comes to.
nlohmann::ordered_json reconstruction_json(const Reconstruction& reconstruction);

/// 16 hexadecimal digits.
std::string hash_text(uint64_t hash);

}  // namespace mantissa::host
