// The list of boards. All of them are machines that QEMU emulates.
#include "host/device/board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "host/error.hpp"
#include "host/model/nearest.hpp"
#include "mantissa/kernels/gemm_mve.hpp"
#include "mantissa/kernels/gemm_small.hpp"

namespace mantissa::host {
namespace {

constexpr uint32_t kKib = 1024;

// Over all recipes, networks and boards that the tests run, the most that was used is 1,920 bytes with the reference
// and 2,570 with fast kernels.
constexpr uint32_t kStackBytes = 2432, kFastStackBytes = 2944;

constexpr Board kBoards[] = {
    {"stm32vldiscovery", "Cortex-M3", "cm3", "Armv7-M", 128 * kKib, 8 * kKib},
    {"microbit", "Cortex-M0", "cm0", "Armv6-M", 256 * kKib, 16 * kKib},
    {"netduinoplus2", "Cortex-M4", "cm4", "Armv7E-M", 1024 * kKib, 192 * kKib, true, true},
    {"mps3-an547", "Cortex-M55", "cm55", "Armv8.1-M", 512 * kKib, 512 * kKib, true, true, true},
    {"mps2-an385", "Cortex-M3", "cm3", "Armv7-M", 4096 * kKib, 4096 * kKib},
    {"mps2-an386", "Cortex-M4", "cm4", "Armv7E-M", 4096 * kKib, 4096 * kKib, true, true},
    {"mps2-an500", "Cortex-M7", "cm7", "Armv7E-M", 4096 * kKib, 4096 * kKib, true, true},
    {"mps2-an505", "Cortex-M33", "cm33", "Armv8-M", 4096 * kKib, 4096 * kKib, true, true},
};

}  // namespace

std::span<const Board> boards() { return kBoards; }

const Board& find_board(std::string_view name) {
  const auto found = std::ranges::find(kBoards, name, &Board::name);
  if (found != std::end(kBoards)) return *found;
  std::vector<std::string_view> names;
  for (const Board& board : kBoards) names.push_back(board.name);
  throw Error(fmt::format("there is no board {}{}; 'mantissa device list' shows all", in_quotes(name),
                          suggestion(name, names)));
}

uint32_t stack_bytes(const Board&, BoardKernels kernels) {
  return kernels == BoardKernels::kFast ? kFastStackBytes : kStackBytes;
}

GemmScratch gemm_scratch(const Board& board, BoardKernels kernels) {
  if (kernels == BoardKernels::kReference) return {};
  return board.has_helium ? kGemmMveScratch : board.has_dsp ? kGemmDspScratch : kGemmSmallScratch;
}

}  // namespace mantissa::host
