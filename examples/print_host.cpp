// print.hpp on a PC.
#include <cstdio>

#include "examples/print.hpp"

void print_text(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }
