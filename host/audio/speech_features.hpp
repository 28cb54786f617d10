// From recordings to a data folder that `mantissa train` reads: one second of each, 49 frames of ten features.
// The features are the core's, so that a board computes the very same numbers.
#pragma once
#include <filesystem>
#include <span>
#include <vector>

#include "host/audio/recordings.hpp"
#include "mantissa/signal/mfcc.hpp"

namespace mantissa::host {

inline constexpr int kClipSamples = kMfccRate;
inline constexpr int kClipFrames = mfcc_frames(kClipSamples);

/// The second in the middle of a recording; a shorter one stands in the middle of silence. Where what is left over or missing
/// is odd, the smaller half of it comes first.
std::vector<int16_t> clip_of(std::span<const int16_t> recording);

/// [49, 10] codes of clip_of(recording).
std::vector<int16_t> speech_features(std::span<const int16_t> recording);

struct FeatureCounts {
  size_t train = 0, test = 0;
};

/// Writes train_x.npy [N, 49, 10] in float32 (codes times 2^-8, exactly) and train_y.npy (uint8), and likewise the test set of
/// the recordings whose take is below `test_takes`. Throws Error if one of the sets is empty, or the folder cannot be written.
FeatureCounts write_speech_folder(std::span<const Recording> recordings, int test_takes,
                                  const std::filesystem::path& folder);

}  // namespace mantissa::host
