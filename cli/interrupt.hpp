// Ctrl-C as a wish that a training run looks at between batches.
#pragma once
#include <atomic>

namespace mantissa::cli {

/// From now on SIGINT and SIGTERM set the flag that is returned; a second one ends the program at once.
const std::atomic<bool>& watch_interrupts();

}  // namespace mantissa::cli
