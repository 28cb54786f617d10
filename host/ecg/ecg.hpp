// Labelled electrocardiogram beats of simulated subjects.
// So that a network can be trained and shown without any data set.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mantissa::host {

struct EcgOptions {
  int beats_train = 4000;
  int beats_test = 1000;
  int steps = 128;                ///< samples per window, 16 to 4096
  double sampling_hz = 128;       ///< 50 to 1000; a window lasts steps / sampling_hz seconds
  double noise = 0.03;            ///< standard deviation of the measurement noise in mV, 0 to 1
  double baseline_wander = 0.15;  ///< amplitude of the respiration's coupling in mV, 0 to 1
  uint64_t seed = 1;
};

/// Windows in millivolt, x[beats, steps], and labels y[beats] in [0, classes).
struct EcgSet {
  std::vector<float> train_x, test_x;
  std::vector<uint8_t> train_y, test_y;
  int steps = 0;
  int classes = 0;
  std::vector<std::string> class_names;
};

/// One window per beat, its R peak near the middle. The classes come in turn; they are
///   normal          sinus rhythm
///   ventricular     premature ventricular contraction: early, no P, wide QRS, inverted T, a pause after
///   atrial          atrial premature contraction: early, with a small or inverted P close to the QRS
///   bundle_branch   bundle branch block: wide notched QRS, T against it
///   ischaemia       ST segment raised, or lowered with an inverted T
/// Twenty consecutive beats are one subject's; the test set has other subjects than the training set. A window is a
/// function of (options without the counts, set, index): a larger set begins with the smaller one. Samples are whole
/// multiples of 5 microvolt (200 units per mV, as the converters of the MIT-BIH database have it), so that the last
/// bit of a machine's exp() does not show.
/// Errors: an option out of its range.
EcgSet generate_ecg(const EcgOptions& options);

/// Writes train_x.npy, train_y.npy, test_x.npy and test_y.npy, x as float32 [beats, 1, steps] (channels first).
/// Creates the folder if it is missing. Errors: not writable.
void write_ecg_folder(const EcgSet& set, const std::filesystem::path& folder);

}  // namespace mantissa::host
