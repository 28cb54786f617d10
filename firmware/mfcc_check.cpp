// Features of speech on a board against golden ones, bit for bit.
#include "tests/mfcc_check.hpp"
#include "firmware/console.hpp"

int main() {
  using namespace mantissa;
  using namespace mantissa::test;
  static MfccStream stream;
  firmware::Console out;
  uint32_t wrong = 0;
  for (const MfccSignal& golden : kMfccSignals) {
    const MfccDifference d = check_mfcc(golden, stream);
    if (!d.differs) continue;
    ++wrong;
    out << golden.name << ": feature " << d.feature << " is " << d.found << ", not " << d.expected << "\n";
  }
  out << uint32_t(std::size(kMfccSignals)) << " signals, " << wrong << " wrong; " << uint32_t(sizeof stream)
      << " bytes\n";
  return wrong == 0 ? 0 : 1;
}
