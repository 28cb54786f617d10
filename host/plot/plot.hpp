// Line charts as pictures.
// A training run is judged by its curves; gnuplot draws them.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace mantissa::host {

/// A curve through (x[i], y[i]). A point that is not finite leaves a gap.
struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
};

enum class AxisScale { kLinear, kLog };

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  AxisScale y_scale = AxisScale::kLinear;
  std::vector<Series> series;
};

/// Draws the charts side by side, each 600 x 600 pixels (one alone: 800 x 600), to a .png or .svg file that is
/// replaced as a whole. Colours are safe for the colour-blind (Okabe and Ito 2008), and widths and dashes differ, so
/// that curves that coincide are all visible. Texts are shown as they are.
/// Throws Error if there is nothing to draw, x and y differ in length, a chart has no point that can be drawn
/// (finite; on a logarithmic axis y > 0), the file's name ends otherwise, gnuplot is missing or fails, or the file
/// can not be written.
void draw_charts(const std::vector<Chart>& charts, const std::filesystem::path& picture);

}  // namespace mantissa::host
