// The matrix product: every Linear and convolution, forward and backward, is this sum on other views.
//
//   c[m, n] (+)= sum over k of a[m, k] * b[k, n]          k = (outer, inner), outer slowest
//
// | product   | c       | a              | b                  | k            |
// |-----------|---------|----------------|--------------------|--------------|
// | forward   | y[T,O]  | windows of x   | w[O, K*C]          | (tap, c)     |
// | backward  | dx[T,C] | windows of dy  | w, taps reversed   | (tap, o)     |
// | gradient  | dw[O,KC]| dy, transposed | windows of x       | (sample, t)  |
//
// Windows of a channels-last signal are overlapping rows of one array, so a stride says all and nothing is copied.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mantissa {

enum class Element : uint8_t { kInt8, kInt16, kInt32, kInt64, kFloat32 };

constexpr size_t element_bytes(Element e) {
  switch (e) {
    case Element::kInt8: return 1;
    case Element::kInt16: return 2;
    case Element::kInt32: return 4;
    case Element::kInt64: return 8;
    case Element::kFloat32: return 4;
  }
  return 0;
}

/// What a kernel must be ready for in operands and sums: the less, the smaller it is. A host and the training program for any
/// model are ready for anything; firmware with a constant plan, for what the plan has.
enum class Operands : uint8_t {
  kAny,
  kFloat32,   ///< alone
  kIntegers,  ///< int8 and int16, sums of 32 or 64 bits
  kInt8,      ///< int8, sums of 32 bits
};

/// found == wanted, settled by the compiler where operands leave no choice.
template <Operands kOperands>
constexpr bool is(Element found, Element wanted) {
  switch (kOperands) {
    case Operands::kAny: return found == wanted;
    case Operands::kFloat32: return wanted == Element::kFloat32;
    case Operands::kIntegers: return wanted != Element::kFloat32 && found == wanted;
    case Operands::kInt8: return wanted == Element::kInt8 || wanted == Element::kInt32;
  }
  return false;
}

/// Element (i, outer, inner) is data[i * stride + outer * outer_stride + inner * inner_stride]; strides in elements.
/// i is the row m of a, the column n of b. kInt8 at an odd address with even strides: the upper bytes of int16 codes, whose
/// lower bytes may be read, too.
struct GemmOperand {
  const void* data = nullptr;
  Element element = Element::kInt8;  ///< kInt8, kInt16 or kFloat32
  int32_t stride = 0;
  int32_t outer_stride = 0;
  int32_t inner_stride = 0;
};

struct GemmShape {
  int32_t m = 0, n = 0;
  int32_t outer = 1, inner = 0;  ///< k = outer * inner terms
};

enum class GemmStore : uint8_t { kOverwrite, kAdd };

struct Gemm {
  GemmShape shape;
  GemmOperand a, b;
  void* c = nullptr;
  Element c_element = Element::kInt32;  ///< kInt32, kInt64 (integer operands) or kFloat32 (float32 operands)
  int32_t c_stride = 0;                 ///< elements between rows of c
  GemmStore store = GemmStore::kOverwrite;
  int32_t block_terms = 0;  ///< kInt64: most terms whose sum fits in 32 bits, at least 1; not used otherwise
  void* scratch = nullptr;  ///< as GemmKernel::scratch asks for
};

enum class ScratchUse : uint8_t {
  kNone,
  kOperand,    ///< holds b as prepare has arranged it; runs at the same time may share it
  kWorkspace,  ///< of each run, for itself
};

/// The memory that a variant takes beside its operands.
struct GemmScratch {
  ScratchUse use = ScratchUse::kNone;
  int32_t alignment = 1;  ///< bytes
  /// For this shape. The m of a run may be smaller.
  size_t (*bytes)(const GemmShape& shape, Element a, Element b) = nullptr;
};

/// A variant of the product. Integers are exact, so every variant equals the reference bit for bit:
/// kInt32 requires that the whole sum (and, for kAdd, c with it) fits in 32 bits: plan() proves it.
/// kFloat32: for each (m, n) the terms are added one by one in the order of k, to 0 or (kAdd) to c; products are rounded
/// before they are added (never fused).
/// A kernel does not allocate, keeps no state and reads nothing outside its operands and scratch.
struct GemmKernel {
  GemmScratch scratch;
  void (*run)(const Gemm& gemm);
  /// Arranges b, for kOperand. Once for many runs that differ in a, c and m only.
  void (*prepare)(const Gemm& gemm) = [](const Gemm&) {};
};

namespace ref {
template <Operands kOperands>
void multiply(const Gemm& gemm);
}

/// The normative reference.
template <Operands kOperands>
inline constexpr GemmKernel gemm_ref_for = {{}, ref::multiply<kOperands>};
inline constexpr GemmKernel gemm_ref = gemm_ref_for<Operands::kAny>;

}  // namespace mantissa
