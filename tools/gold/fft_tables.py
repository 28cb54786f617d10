"""Cosines of a quarter of the circle, for the front end's transform and window."""
from mfcc_tables import cosine
from tables import array

TARGET, VERSION, SEED = "core/mantissa/signal/fft_tables.inc", 1, "none"


def lines():
    yield "// cos(2 pi k / 256) in Q30, a quarter of the circle."
    yield array("int32_t kCosine[65]", map(cosine, range(65)))
