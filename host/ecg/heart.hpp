// The dynamical model of the electrocardiogram: a point on a circle whose angle is the phase of the heart beat.
// Separate from the beat classes, because it is the published part and is tested against an independent solver.
#pragma once
#include <array>
#include <span>
#include <vector>

namespace mantissa::host {

/// One Gaussian event of the beat. Times are relative to the R peak.
struct Wave {
  double peak_mv;
  double time_s;
  double width_s;  ///< standard deviation
};

/// The names of a beat's waves. R2 is the second R peak of a notched QRS complex; ST the segment before T.
enum WaveName { kP, kQ, kR, kR2, kS, kST, kT, kWaveCount };

struct Beat {
  std::array<Wave, kWaveCount> waves;
  double rr_s;  ///< time from the R peak before to this one
};

/// Breathing moves the resting potential: z0(t) = amplitude sin(2 pi frequency t + phase).
struct Respiration {
  double amplitude_mv;
  double frequency_hz;
  double phase;
};

/// Equally spaced samples; time 0 is the R peak of the second beat.
struct Sampling {
  double start_s;
  double hz;
  int count;
};

/// The electrocardiogram of consecutive beats in millivolt, [sampling.count]; by fourth-order Runge-Kutta:
///   x' = alpha x - omega y,  y' = alpha y + omega x,  alpha = 1 - sqrt(x^2 + y^2),  theta = atan2(y, x)
///   z' = -sum_i a_i dtheta_i exp(-dtheta_i^2 / (2 b_i^2)) - (z - z0(t)),  dtheta_i = theta - theta_i
/// with omega = 2 pi / rr between two R peaks, and a wave's angle theta_i = omega time, b_i = omega width and
/// a_i = peak omega / b_i^2, so that its peak is in millivolt and its duration does not change with the heart rate.
/// Requires two beats or more, each with rr_s > 0 and widths > 0.
/// Source: McSharry, Clifford, Tarassenko, Smith, "A dynamical model for generating synthetic electrocardiogram
/// signals", IEEE Trans. Biomed. Eng. 50(3):289-294, 2003, equation 1; a_i in millivolt as in Sameni, Clifford,
/// Jutten, Shamsollahi, "Multichannel ECG and noise modeling", EURASIP J. Adv. Signal Process. 2007:43407.
std::vector<double> simulate_heart(std::span<const Beat> beats, const Respiration& respiration,
                                   const Sampling& sampling);

}  // namespace mantissa::host
