// The text header of a .npy file: one Python dictionary with the keys descr, fortran_order and shape.
// A reader of exactly this grammar; anything else is an error, since the text comes from outside.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mantissa::host {

struct NpyHeader {
  std::string descr;  ///< for example "<f4"
  bool fortran_order = false;
  std::vector<size_t> shape;
};

/// Throws Error, with `name` for the file, if `text` is not `{'descr': '...', 'fortran_order': ..., 'shape':
/// (...)}` in any order, padded with white space.
NpyHeader parse_npy_header(std::string_view text, const std::string& name);

}  // namespace mantissa::host
