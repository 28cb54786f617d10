"""Features of short signals by exact integers, and of a second of noise and tones, as a hash.

The definition step by step, with Python's integers; tables are made from formulas of their own index, without symmetries.
Bounds on the width of every intermediate value are asserted on the way.
"""
import exact
from mfcc_tables import BANDS, COEFFICIENTS, HOP, WINDOW, cosine, dct, floor_energy, mel_weights, silence
from tables import array

TARGET, VERSION, SEED = "tests/golden/mfcc.inc", 1, 7

HEAD = """
// A signal of mfcc_check.hpp's kinds, and the features of its frames [frames, 10].
struct MfccSignal {
  const char* name;
  int32_t samples;
  const int16_t* features;
  uint64_t hash;  // of all features as 32-bit words
};
""".strip()


def half_up(value, shift):
    return (value + (1 << (shift - 1))) >> shift


def fits(value, bits):
    assert -2 ** bits < value < 2 ** bits, (value, bits)
    return value


def turned(re, im, k):
    """(re + i im) e^(-2 pi i k / 256), rounded."""
    c, s = cosine(k), cosine(k - 64)
    return half_up(fits(re * c + im * s, 62), 30), half_up(fits(im * c - re * s, 62), 30)


def fft(re, im):
    """By halves: even and odd elements first, then their sums and differences; the order of roundings is part of the result."""
    n = len(re)
    if n == 1:
        return re, im
    even, odd = fft(re[::2], im[::2]), fft(re[1::2], im[1::2])
    out_re, out_im = [0] * n, [0] * n
    for k in range(n // 2):
        t = (odd[0][k], odd[1][k]) if k == 0 else turned(odd[0][k], odd[1][k], k * WINDOW // n)
        for at, sign in ((k, 1), (k + n // 2, -1)):
            out_re[at] = fits(even[0][k] + sign * t[0], 31)
            out_im[at] = fits(even[1][k] + sign * t[1], 31)
    return out_re, out_im


def energies(x):
    """Band energies of 256 samples, in units of 2^-19."""
    windowed = [half_up(sample * (2 ** 29 - (cosine(n) >> 1)), 22) for n, sample in enumerate(x)]
    re, im = fft(windowed[::2], windowed[1::2])
    bands = [0] * (BANDS + 2)
    for k, (interval, rising) in enumerate(mel_weights(), 1):
        n = WINDOW // 2 - k
        t = turned(fits(im[k] + im[n], 31), fits(re[n] - re[k], 31), k)
        bin_re, bin_im = fits(re[k] + re[n] + t[0], 31) >> 1, fits(im[k] - im[n] + t[1], 31) >> 1
        power = half_up(fits(bin_re * bin_re + bin_im * bin_im, 61), 13)
        bands[interval + 1] += fits(power * rising, 63)
        bands[interval] += fits(power * (2 ** 16 - rising), 63)
    return [fits(band, 63) for band in bands[1:-1]]


def log2_wide(x):
    drop = max(0, x.bit_length() - 32)
    return exact.log2_q24(x >> drop) + (drop << 24)


def features(x):
    levels = [log2_wide(band + floor_energy()) - log2_wide(floor_energy()) for band in energies(x)]
    found = []
    for k in range(COEFFICIENTS):
        total = silence() if k == 0 else 0
        for band in range(BANDS):
            mirrored = dct(k, band) if band < BANDS // 2 else (-1) ** k * dct(k, BANDS - 1 - band)
            total += mirrored * levels[band]
        found.append(fits(half_up(fits(total, 63), 46), 15))
    return found


def frames(signal):
    return [features(signal[at:at + WINDOW]) for at in range(0, len(signal) - WINDOW + 1, HOP)]


def square(n, period):
    return [32767 if i % period < period // 2 else -32768 for i in range(n)]


def noise(n, shift):
    key = exact.random_key(SEED, 0, 0)
    return [(exact.random16(key, i) - 32768) >> shift for i in range(n)]


def speech(n):
    """Noise that swells and fades beside a saw tooth that falls in pitch."""
    key = exact.random_key(SEED, 1, 0)
    out, phase = [], 0
    for i in range(n):
        swell = abs(i % 2000 - 1000)
        phase = (phase + 3000 - i // 4) & 0xFFFF
        out.append(((exact.random16(key, i) - 32768) * swell >> 14) + ((phase - 32768) * (1000 - swell) >> 12))
    return out


SIGNALS = {
    "silence": [0] * 416,
    "alternating": square(256, 2),
    "square": square(416, 32),
    "constant": [-32768] * 256,
    "impulse": [0] * 200 + [32767] + [0] * 215,
    "noise": noise(576, 0),
    "whisper": noise(416, 12),
    "ones": noise(256, 15),
    "speech": speech(8000),
}


def hash_of(values):
    state = 0xCBF29CE484222325
    for value in values:
        for byte in (value & exact.MASK).to_bytes(4, "little"):
            state = (state ^ byte) * 0x100000001B3 & 2 ** 64 - 1
    return state


def lines():
    yield HEAD
    rows = []
    for name, signal in SIGNALS.items():
        values = sum(frames(signal), [])
        table = f"kMfcc{name.capitalize()}"
        if len(values) <= 30:
            yield array(f"int16_t {table}[]", values)
        rows.append(f'{{"{name}", {len(signal)}, {table if len(values) <= 30 else "nullptr"}, 0x{hash_of(values):016x}}}')
    yield "constexpr MfccSignal kMfccSignals[] = {" + ",\n".join(rows) + "};"
