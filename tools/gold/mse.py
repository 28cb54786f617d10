"""Single samples of mean squared error: targets in units of the sums, errors, their unit and the loss."""
import numpy as np

from draws import Draws
from losses import squared_error, target_sum
from tables import array, bits, braces, pair

TARGET, VERSION, SEED = "tests/golden/mse.inc", 1, 32

HEAD = """
// Sums z in a unit (mantissa, exponent) and targets as bits of float32; targets in units of the sums, errors
// z - target of them with their own unit, and the loss of the sample.
struct MseCase {
  int32_t outputs, unit[2];
  const int32_t* z;
  const uint32_t* target;
  const int32_t *target_sum, *error;
  int32_t error_unit[2];
  int64_t loss_q24;
};
""".strip()

LARGEST = 2 ** 31 - 1
EXTREMES = 0.0, -0.0, 1.0, -1.0, 1e-45, -1e-38, 1.5e-30, 3.4e38, -3.4e38, 2.0 ** 20, 0.3


def cases(draws):
    """Sums, unit, targets."""
    for outputs in (1, 2, 3, 4, 7, 10, 33):
        for sum_bits, exponent in ((12, -40), (20, -48), (31, -60), (24, -70)):
            unit = draws.scale(exponent - 2, exponent + 2)
            reach = 2.0 ** (sum_bits + unit[1] + 30)
            targets = [np.float32(draws.between(-2 ** 24, 2 ** 24) / 2 ** 24 * reach) for _ in range(outputs)]
            yield [draws.integer(sum_bits) for _ in range(outputs)], unit, targets
    for exponent in (-120, -62, -46, -30, -8):
        unit = draws.scale(exponent, exponent)
        yield [draws.integer(31) for _ in EXTREMES], unit, EXTREMES
        yield [draws.one_of((LARGEST, -LARGEST, 0, 1)) for _ in EXTREMES], unit, EXTREMES
    yield [0, 0, 0], draws.scale(-40, -40), (0.0, 0.0, -0.0)
    yield [2 ** 20, -2 ** 20], (2 ** 30, -50), (1.0, -1.0)                          # errors of 0 from other sums
    yield [0, 0, 0, 0], (2 ** 30, -40), [n * 2.0 ** -11 for n in (1, -1, 3, -3)]    # ties


def lines():
    draws, rows = Draws(SEED), []
    yield HEAD
    for number, (z, unit, targets) in enumerate(cases(draws)):
        loss, errors, error_unit = squared_error(z, unit, targets)
        sums = [target_sum(t, unit) for t in targets]
        yield array(f"uint32_t kMseTarget{number}[]", bits(targets))
        for name, numbers in (("Z", z), ("TargetSum", sums), ("Error", errors)):
            yield array(f"int32_t kMse{name}{number}[]", numbers)
        rows.append(braces([len(z), pair(unit), f"kMseZ{number}", f"kMseTarget{number}", f"kMseTargetSum{number}",
                            f"kMseError{number}", pair(error_unit), loss]))
    yield array("MseCase kMseCases[]", rows)
