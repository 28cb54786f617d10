"""Golden values as plain C++ arrays."""
import textwrap

import numpy as np


def braces(numbers):
    return "{" + ", ".join(map(str, numbers)) + "}"


def pair(scale):
    return braces(scale)


def array(declaration, numbers):
    return textwrap.fill(f"constexpr {declaration} = {braces(numbers)};", 110)


def bits(numbers):
    """Of float32."""
    return [f"0x{b:08x}" for b in np.asarray(numbers, np.float32).ravel().view(np.uint32)]
