// Recordings of spoken words with their labels, from an archive or a folder.
// Both say which words were spoken and how often; the first takes are kept for testing, as the Free Spoken Digit Dataset has it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mantissa::host {

struct Recording {
  std::string name;  ///< for messages
  std::vector<int16_t> samples;
  int label = 0;  ///< 0 to 255
  int take = 0;   ///< which repetition by this speaker
};

/// From a .npz: arrays `samples` (int16, all recordings one after the other), `lengths`, `digit` or `label`, and `take`, of
/// integers. From a folder: files LABEL_..._TAKE.wav, as 7_jackson_32.wav, in the order of their names.
/// Throws Error if there is none, one is empty or is not as named, or as Npz, parse_npy() and parse_wav().
std::vector<Recording> read_recordings(const std::filesystem::path& path);

}  // namespace mantissa::host
