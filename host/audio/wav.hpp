// Recordings in .wav files, as far as the front end for speech can use them: mono, 16 bits, 8 kHz.
// Nothing is resampled or mixed here: a tool made for it does that better, and the message names one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mantissa::host {

/// The samples in the bytes of a whole .wav file. Safe on arbitrary bytes; `name` stands for the file in messages.
/// Throws Error unless it is PCM of 16 bits, one channel and kMfccRate, whole, with at least one sample.
/// Source: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (RIFF WAVE).
std::vector<int16_t> parse_wav(std::span<const std::byte> file, const std::string& name);

}  // namespace mantissa::host
