// The boards on which training can run under emulation.
// Where memory lies is the linker's business and in each program file; here is what a person chooses by.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "mantissa/kernels/gemm.hpp"

namespace mantissa::host {

struct Board {
  std::string_view name;    ///< as QEMU calls the machine
  std::string_view core;    ///< "Cortex-M4"
  std::string_view preset;  ///< of the build that makes its programs: "cm4"
  std::string_view instructions;
  uint32_t flash_bytes = 0, ram_bytes = 0;
  bool has_fpu = false, has_dsp = false, has_helium = false;
};

/// Smallest RAM first.
std::span<const Board> boards();

/// Throws Error, with the nearest name, if there is no such board.
const Board& find_board(std::string_view name);

enum class BoardKernels : uint8_t {
  kFast,  ///< the best for the board's instruction set
  kReference,
};

/// What products take beside their operands, for plans.
GemmScratch gemm_scratch(const Board& board, BoardKernels kernels);

/// Room for the stack. Every run measures what it uses and fails if that is all of it.
uint32_t stack_bytes(const Board& board, BoardKernels kernels);

}  // namespace mantissa::host
