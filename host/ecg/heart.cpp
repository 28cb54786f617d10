// Integrates the dynamical model of the electrocardiogram.
// The angle is unwrapped, so that a beat that comes early overlaps the T wave before it, as in a heart.
#include "host/ecg/heart.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mantissa::host {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr double kStepsPerSecond = 250;  // the narrowest waves last some 10 ms
constexpr double kFarWidths = 6;         // beyond, a wave contributes less than 1e-7 of its peak

struct State {
  double x, y, z;
};

State advance(const State& s, const State& slope, double time) {
  return {s.x + time * slope.x, s.y + time * slope.y, s.z + time * slope.z};
}

class Heart {
 public:
  /// Starts at a time before the first R peak.
  Heart(std::span<const Beat> beats, const Respiration& respiration, double time)
      : beats_(beats), breath_(respiration), time_(time), peak_s_(-beats[1].rr_s) {
    for (std::size_t k = 0; k < beats.size(); ++k)
      for (const Wave& wave : beats[k].waves) {
        const double from_peak = omega(wave.time_s < 0 ? k : k + 1) * wave.time_s;
        if (wave.peak_mv != 0)
          events_.push_back(
              {kTurn * static_cast<double>(k) + from_peak, wave.peak_mv / wave.width_s, 1 / wave.width_s});
      }
    phase_ = omega(0) * (time - peak_s_);
    state_ = {std::cos(phase_), std::sin(phase_), resting(time)};
  }

  /// One step, or two where an R peak lies between, because the heart rate jumps there.
  void advance_to(double time) {
    while (ahead_ + 1 < beats_.size() && peak_s_ < time) {
      step(peak_s_ - time_);
      peak_s_ += beats_[++ahead_].rr_s;
    }
    step(time - time_);
  }

  double millivolt() const { return state_.z; }

 private:
  struct Event {
    double angle, mv_per_s, per_s;  // theta_i, peak / width, 1 / width
  };

  /// Angular velocity before R peak k.
  double omega(std::size_t k) const { return kTurn / beats_[std::min(k, beats_.size() - 1)].rr_s; }

  void step(double h) {
    const State k1 = slope(state_, time_);
    const State k2 = slope(advance(state_, k1, h / 2), time_ + h / 2);
    const State k3 = slope(advance(state_, k2, h / 2), time_ + h / 2);
    const State k4 = slope(advance(state_, k3, h), time_ + h);
    const State mean = {(k1.x + 2 * k2.x + 2 * k3.x + k4.x) / 6, (k1.y + 2 * k2.y + 2 * k3.y + k4.y) / 6,
                        (k1.z + 2 * k2.z + 2 * k3.z + k4.z) / 6};
    const State next = advance(state_, mean, h);
    phase_ = phase(next);
    state_ = next;
    time_ += h;
  }

  /// The unwrapped angle of a point: the last step's, and the angle from there.
  double phase(const State& s) const {
    return phase_ + std::atan2(s.y * state_.x - s.x * state_.y, s.x * state_.x + s.y * state_.y);
  }

  double resting(double time) const {
    return breath_.amplitude_mv * std::sin(kTurn * breath_.frequency_hz * time + breath_.phase);
  }

  State slope(const State& s, double time) const {
    const double alpha = 1 - std::sqrt(s.x * s.x + s.y * s.y);
    const double angle = phase(s);
    const double w = omega(ahead_);
    const double s_per_radian = 1 / w;
    double dz = resting(time) - s.z;
    for (const Event& event : events_) {
      const double widths = (angle - event.angle) * s_per_radian * event.per_s;  // dtheta / b
      if (std::abs(widths) < kFarWidths) dz -= event.mv_per_s * widths * std::exp(-0.5 * widths * widths);
    }
    return {alpha * s.x - w * s.y, alpha * s.y + w * s.x, dz};
  }

  std::span<const Beat> beats_;
  Respiration breath_;
  std::vector<Event> events_;
  double time_;
  std::size_t ahead_ = 0;  // the next R peak
  double peak_s_;          // and its time
  State state_{};
  double phase_ = 0;  // the unwrapped angle; R peak k is at k turns
};

}  // namespace

std::vector<double> simulate_heart(std::span<const Beat> beats, const Respiration& respiration,
                                   const Sampling& sampling) {
  const int substeps = static_cast<int>(std::ceil(kStepsPerSecond / sampling.hz));
  const double h = 1 / (sampling.hz * substeps);
  const double first = -beats[1].rr_s - beats[0].rr_s / 2;  // before the first beat's waves
  const int warm_up = static_cast<int>(std::ceil(std::max(0.0, sampling.start_s - first) / h));

  Heart heart(beats, respiration, sampling.start_s - warm_up * h);
  for (int i = -warm_up; i < 0; ++i) heart.advance_to(sampling.start_s + i * h);
  std::vector<double> signal;
  for (int i = 0; i < sampling.count * substeps; ++i) {
    heart.advance_to(sampling.start_s + i * h);
    if (i % substeps == 0) signal.push_back(heart.millivolt());
  }
  return signal;
}

}  // namespace mantissa::host
