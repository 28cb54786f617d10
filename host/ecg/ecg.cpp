// Draws subjects and beats of each class, and lets the dynamical model of the heart play them.
// Amplitudes and durations are those of textbooks (lead II), spread so that classes come close but rarely overlap.
#include "host/ecg/ecg.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>
#include <system_error>

#include "host/data/npy.hpp"
#include "host/ecg/heart.hpp"
#include "host/error.hpp"

namespace mantissa::host {
namespace {

enum class BeatClass { kNormal, kVentricular, kAtrial, kBundleBranch, kIschaemia };
constexpr int kClasses = 5;
constexpr uint64_t kBeatsPerSubject = 20;
constexpr double kUnitsPerMillivolt = 200;
constexpr double kJitterSeconds = 0.06;  // of a beat detector

/// SplitMix64 (Steele, Lea, Flood 2014): small, and every seed is a good one.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// Uniform in (0, 1).
  double unit() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52; }
  double between(double low, double high) { return low + (high - low) * unit(); }
  /// Standard normal, by Box and Muller.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(unit()));
    return radius * std::cos(2 * std::numbers::pi * unit());
  }
  /// A factor around 1, for what varies by some per cent.
  double about_one(double deviation) { return std::exp(deviation * normal()); }

 private:
  uint64_t state_;
};

/// An independent generator for the item with this index, whatever was drawn for others.
Random stream(uint64_t seed, uint64_t index) { return Random(Random(seed).bits() ^ Random(~index).bits()); }

/// What does not change from one beat of a person to the next.
struct Subject {
  double rr_s;
  double respiration_hz;
  double st_sign;                      // of the ST segment in ischaemia: +1 raised, -1 lowered
  std::array<Wave, kWaveCount> waves;  // of a normal beat
};

Subject draw_subject(Random& random) {
  Subject subject{};
  subject.rr_s = random.between(0.65, 1.05);
  subject.respiration_hz = random.between(0.2, 0.35);
  subject.st_sign = random.unit() < 0.5 ? 1 : -1;
  const double gain = random.between(0.7, 1.3);  // electrodes sit differently
  const double qrs = random.between(0.85, 1.2);
  auto wave = [&](double low_mv, double high_mv, double time_s, double width_s) {
    return Wave{gain * random.between(low_mv, high_mv), time_s, width_s};
  };
  // One draw per statement: in what order arguments are evaluated is the compiler's choice.
  const double p_width_s = random.between(0.018, 0.026);
  const double p_time_s = random.between(-0.18, -0.14);
  subject.waves[kP] = wave(0.1, 0.2, p_time_s, p_width_s);
  subject.waves[kQ] = wave(-0.15, -0.03, -0.028 * qrs, 0.009 * qrs);
  subject.waves[kR] = wave(0.8, 1.5, 0, 0.011 * qrs);
  subject.waves[kR2] = wave(0, 0, 0.02, 0.01);
  subject.waves[kS] = wave(-0.4, -0.08, 0.03 * qrs, 0.010 * qrs);
  subject.waves[kST] = wave(-0.03, 0.05, 0.13, 0.035);
  const double qt = std::sqrt(subject.rr_s);  // Bazett
  const double t_width_s = random.between(0.04, 0.055) * qt;
  const double t_time_s = random.between(0.27, 0.31) * qt;
  subject.waves[kT] = wave(0.15, 0.45, t_time_s, t_width_s);
  return subject;
}

/// The excitation starts in a ventricle and spreads from cell to cell: slow, hence wide, and no P before it.
void make_ventricular(Beat& beat, Random& random) {
  auto& w = beat.waves;
  const double size = w[kR].peak_mv * random.between(0.9, 1.5);
  const double width = random.between(0.024, 0.036);
  w[kP].peak_mv = 0;
  w[kQ] = {-size * random.between(0, 0.15), -2.4 * width, width};
  w[kR] = {size, 0, width};
  w[kS] = {-size * random.between(0.1, 0.5), 2.6 * width, width};
  w[kST] = {-size * random.between(0, 0.12), 0.15, 0.04};
  w[kT].peak_mv = -size * random.between(0.15, 0.4);
  w[kT].time_s *= 1.1;
  beat.rr_s *= random.between(0.6, 0.9);
}

/// The excitation starts elsewhere in the atria: P is early and misshapen, the rest as ever.
void make_atrial(Beat& beat, Random& random) {
  Wave& p = beat.waves[kP];
  p.peak_mv *= random.between(-0.9, 0.35);
  p.time_s = random.between(-0.14, -0.1);
  p.width_s *= random.between(0.6, 0.9);
  beat.rr_s *= random.between(0.6, 0.85);
}

/// One ventricle is excited late, through the other: two peaks.
void make_bundle_branch(Beat& beat, Random& random) {
  auto& w = beat.waves;
  const double size = w[kR].peak_mv;
  const double apart = random.between(0.04, 0.065);
  w[kQ].peak_mv *= random.between(0, 0.5);
  w[kR].peak_mv = size * random.between(0.6, 0.95);
  w[kR].width_s *= random.between(1.2, 1.6);
  w[kR2] = {size * random.between(0.35, 0.9), apart, w[kR].width_s * random.between(0.9, 1.3)};
  w[kS] = {w[kS].peak_mv * random.between(0.5, 1), apart + 0.05, 0.018};
  w[kT].peak_mv *= random.between(-0.8, 0.3);
}

/// Heart muscle short of blood: a current of injury flows between QRS and T.
void make_ischaemia(Beat& beat, double st_sign, Random& random) {
  auto& w = beat.waves;
  const bool raised = st_sign > 0;
  const double shift = w[kR].peak_mv * random.between(0.1, 0.3);
  w[kST] = {raised ? shift : -0.6 * shift, 0.13, random.between(0.035, 0.05)};
  w[kT].peak_mv *= raised ? random.between(0.8, 1.4) : random.between(-1, -0.3);
}

Beat draw_beat(const Subject& subject, BeatClass kind, Random& random) {
  Beat beat{subject.waves, subject.rr_s * random.about_one(0.04)};
  for (Wave& wave : beat.waves) {
    wave.peak_mv *= random.about_one(0.08);
    wave.time_s *= random.about_one(0.03);
    wave.width_s *= random.about_one(0.04);
  }
  switch (kind) {
    case BeatClass::kNormal: break;
    case BeatClass::kVentricular: make_ventricular(beat, random); break;
    case BeatClass::kAtrial: make_atrial(beat, random); break;
    case BeatClass::kBundleBranch: make_bundle_branch(beat, random); break;
    case BeatClass::kIschaemia: make_ischaemia(beat, subject.st_sign, random); break;
  }
  return beat;
}

/// The beat between its neighbours: normal ones around a premature beat, of its own kind where the heart is ill.
std::array<Beat, 3> draw_beats(const Subject& subject, BeatClass kind, Random& random) {
  const bool premature = kind == BeatClass::kVentricular || kind == BeatClass::kAtrial;
  const BeatClass neighbour = premature ? BeatClass::kNormal : kind;
  const Beat before = draw_beat(subject, neighbour, random);
  const Beat middle = draw_beat(subject, kind, random);
  Beat after = draw_beat(subject, neighbour, random);
  if (kind == BeatClass::kVentricular) after.rr_s += subject.rr_s - middle.rr_s;  // the pause compensates
  return {before, middle, after};
}

void append_window(const EcgOptions& options, uint64_t set_seed, uint64_t index, std::vector<float>& x) {
  Random subject_random = stream(set_seed, index / kBeatsPerSubject);
  Random random = stream(set_seed + 1, index);
  const Subject subject = draw_subject(subject_random);
  const auto beats = draw_beats(subject, static_cast<BeatClass>(index % kClasses), random);
  const Respiration respiration{options.baseline_wander, subject.respiration_hz,
                                random.between(0, 2 * std::numbers::pi)};
  const double middle_s = options.steps / (2 * options.sampling_hz);
  const double start_s = random.between(-kJitterSeconds, kJitterSeconds) - middle_s;
  for (double mv : simulate_heart(beats, respiration, {start_s, options.sampling_hz, options.steps})) {
    const double measured = mv + options.noise * random.normal();
    x.push_back(static_cast<float>(std::round(measured * kUnitsPerMillivolt) / kUnitsPerMillivolt));
  }
}

void generate(const EcgOptions& options, uint64_t set_seed, int beats, std::vector<float>& x,
              std::vector<uint8_t>& y) {
  for (uint64_t i = 0; i < static_cast<uint64_t>(beats); ++i) {
    append_window(options, set_seed, i, x);
    y.push_back(static_cast<uint8_t>(i % kClasses));
  }
}

void check(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high))
    throw Error(fmt::format("ECG generator: {} is {}, it must be from {} to {}", name, value, low, high));
}

}  // namespace

EcgSet generate_ecg(const EcgOptions& options) {
  check("beats_train", options.beats_train, 1, 10'000'000);
  check("beats_test", options.beats_test, 1, 10'000'000);
  check("steps", options.steps, 16, 4096);
  check("sampling_hz", options.sampling_hz, 50, 1000);
  check("noise", options.noise, 0, 1);
  check("baseline_wander", options.baseline_wander, 0, 1);

  EcgSet set;
  set.steps = options.steps;
  set.classes = kClasses;
  set.class_names = {"normal", "ventricular", "atrial", "bundle_branch", "ischaemia"};
  Random seeds(options.seed);
  const uint64_t train_seed = seeds.bits();
  const uint64_t test_seed = seeds.bits();
  generate(options, train_seed, options.beats_train, set.train_x, set.train_y);
  generate(options, test_seed, options.beats_test, set.test_x, set.test_y);
  return set;
}

void write_ecg_folder(const EcgSet& set, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(fmt::format("{}: cannot create the folder: {}", folder.string(), error.message()));
  const auto write = [&](const std::string& name, const std::vector<float>& x,
                         const std::vector<uint8_t>& y) {
    const std::size_t x_shape[] = {y.size(), 1, static_cast<std::size_t>(set.steps)};
    const std::size_t y_shape[] = {y.size()};
    write_npy(folder / (name + "_x.npy"), x, x_shape);
    write_npy(folder / (name + "_y.npy"), y, y_shape);
  };
  write("train", set.train_x, set.train_y);
  write("test", set.test_x, set.test_y);
}

}  // namespace mantissa::host
