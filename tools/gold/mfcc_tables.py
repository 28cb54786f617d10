"""Constants of the front end for speech: Mel weights, the DCT with ln 2 in it. From their definitions, in double."""
import math

from tables import array

TARGET, VERSION, SEED = "core/mantissa/signal/mfcc_tables.inc", 1, "none"

RATE, WINDOW, HOP, BANDS, COEFFICIENTS = 8000, 256, 160, 40, 10
LOWEST, HIGHEST, FLOOR = 20.0, 4000.0, 1e-6  # Hz, Hz, added to each band's energy


def cosine(k):
    """cos(2 pi k / 256) in Q30."""
    return round(math.cos(2 * math.pi * k / WINDOW) * 2 ** 30)


def mel(hertz):
    return 2595 * math.log10(1 + hertz / 700)


def edges():
    """Corners of the triangles in Hz: band b rises from edge b to b + 1 and falls to b + 2."""
    low, high = mel(LOWEST), mel(HIGHEST)
    points = [low + i * (high - low) / (BANDS + 1) for i in range(BANDS + 2)]
    return [700 * (10 ** (point / 2595) - 1) for point in points]


def mel_weights():
    """(interval, weight in Q16) of bins 1 to 127: the bin is in the rising side of band `interval`, with this weight, and in
    the falling side of the band before, with what is missing to one."""
    corners, found = edges(), []
    for k in range(1, WINDOW // 2):
        hertz = k * RATE / WINDOW
        interval = max(i for i in range(BANDS + 1) if corners[i] <= hertz)
        share = (hertz - corners[interval]) / (corners[interval + 1] - corners[interval])
        found.append((interval, round(share * 2 ** 16)))
    return found


def dct(k, band):
    """Orthonormal DCT-II of 40 bands, times ln 2, in Q30."""
    scale = math.sqrt((1 if k == 0 else 2) / BANDS)
    return round(scale * math.cos(math.pi * k * (2 * band + 1) / (2 * BANDS)) * math.log(2) * 2 ** 30)


def silence():
    """Coefficient 0 where all bands hold the floor, in Q54."""
    return round(math.sqrt(BANDS) * math.log(FLOOR) * 2 ** 54)


def floor_energy():
    """FLOOR of full scale 1 in the units of band energies, 2^-19 of a squared sample's."""
    return round(FLOOR * 2 ** (30 + 19))


def lines():
    weights = mel_weights()
    assert all(0 <= weight < 2 ** 16 for _, weight in weights)
    yield "// Bins 1 to 127: the interval between edges of Mel bands that holds the bin, and where in it, in Q16."
    yield array("uint8_t kMelInterval[127]", (interval for interval, _ in weights))
    yield array("uint16_t kMelRising[127]", (weight for _, weight in weights))
    yield "// Orthonormal DCT-II times ln 2 in Q30: coefficients by the first half of the bands."
    rows = ", ".join("{" + ", ".join(str(dct(k, band)) for band in range(BANDS // 2)) + "}" for k in range(COEFFICIENTS))
    yield array("int32_t kDct[10][20]", [rows])
    yield "// sqrt(40) ln 1e-6 in Q54; 1e-6 in the units of band energies."
    yield f"constexpr int64_t kSilence = {silence()};"
    yield f"constexpr uint64_t kFloorEnergy = {floor_energy()};"
