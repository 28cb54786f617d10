"""Single steps of LayerNorm: normalised codes, reciprocal root, and the sums of the error, of all sizes and extremes."""
import numpy as np

from draws import Draws
from exact import clamp
from layers import normalize, normalize_backward
from network import scale_of
from tables import array, braces, pair

TARGET, VERSION, SEED = "tests/golden/layer_norm.inc", 1, 31
SIZES = 1, 2, 3, 5, 8, 16, 33, 64, 256
EPS = scale_of(np.float32(1e-5))

HEAD = """
// h = (x - mean) / sqrt(variance + eps) in units of 2^-k, inverse = 1 / sqrt(R) as (mantissa, exponent), and for
// g = dy * gamma: b = sum of g h, dx = n g - sum of g - h b / 2^(2 k).
struct LayerNormCase {
  int32_t n, x_bits;
  int32_t x_scale[2], eps[2];
  const int16_t *x, *dy, *gamma;
  int32_t k, inverse[2];
  const int16_t* h;
  int64_t b;
  const int64_t* dx;
};
""".strip()


def even(draws, n, high):
    return [draws.between(-high, high) for _ in range(n)]


def bell(draws, n, high):
    return [sum(draws.between(-high, high) for _ in range(6)) // 6 for _ in range(n)]


def narrow(draws, n, high):
    """About an end of the range."""
    return [clamp(draws.between(-3, 3) + high, -high, high) for _ in range(n)]


def equal(draws, n, high):
    return [high] * n


def outlier(draws, n, high):
    return [0] * (n - 1) + [-high]


def alternating(draws, n, high):
    return [high if i % 2 else -high for i in range(n)]


def cases(draws):
    """n, bits of x, maker of x, exponents of its scale, eps, bits of dy."""
    for i, n in enumerate(SIZES):
        for x_bits, make, exponents in ((8, bell, (-37, -33)), (12, even, (-42, -38)), (16, bell, (-47, -42))):
            if n < 256 or x_bits != 16:
                yield n, x_bits, make, exponents, EPS, 8 if i % 3 else 12
    for n in (2, 5, 16, 64):
        for x_bits, make in ((16, outlier), (8, alternating)):
            yield n, x_bits, make, (-40, -36), EPS, 8
    yield 256, 16, outlier, (-47, -45), EPS, 8
    yield 256, 16, alternating, (-10, -5), EPS, 8
    yield 3, 8, equal, (-36, -36), EPS, 8        # no variance: what eps leaves
    yield 33, 16, equal, (-20, -10), EPS, 16     # neither variance nor eps: R is 1
    yield 16, 8, narrow, (-34, -34), EPS, 16
    yield 16, 8, bell, (-52, -48), EPS, 8        # eps is most of R
    yield 33, 12, bell, (-90, -80), EPS, 8       # eps at its largest
    yield 8, 8, even, (-36, -33), scale_of(1), 8
    yield 64, 12, narrow, (-40, -36), scale_of(2.0 ** -40), 12


def lines():
    draws, rows = Draws(SEED), []
    yield HEAD
    for number, (n, x_bits, make, exponents, eps, dy_bits) in enumerate(cases(draws)):
        x, x_scale = make(draws, n, 2 ** (x_bits - 1) - 1), draws.scale(*exponents)
        dy, gamma = even(draws, n, 2 ** (dy_bits - 1) - 1), [draws.between(-128, 127) for _ in range(n)]
        h, inverse, k = normalize(x, x_scale, eps)
        b, dx = normalize_backward([a * c for a, c in zip(dy, gamma)], h, k)
        for name, numbers in (("X", x), ("Dy", dy), ("Gamma", gamma), ("H", h)):
            yield array(f"int16_t k{name}{number}[]", numbers)
        yield array(f"int64_t kDx{number}[]", dx)
        rows.append(braces([n, x_bits, pair(x_scale), pair(eps), f"kX{number}", f"kDy{number}", f"kGamma{number}",
                            k, pair(inverse), f"kH{number}", b, f"kDx{number}"]))
    yield array("LayerNormCase kLayerNormCases[]", rows)
