// Uses the core as a stranger does: through its installed headers and library alone.
#include "mantissa/base/result.hpp"

int main() {
  const mantissa::Result<int> three = 3;
  return three.ok() ? 0 : 1;
}
