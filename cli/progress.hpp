// How a run shows that it goes on: a bar on a terminal, a line per epoch anywhere.
#pragma once
#include <string>

#include "host/train/trainer.hpp"

namespace mantissa::cli {

/// Columns of the terminal that stdout is, 0 if it is none.
int terminal_columns();

/// Columns for reports: those of the terminal, or 120.
size_t report_columns();

class Progress {
 public:
  /// `name` begins each line, if there is one.
  explicit Progress(int epochs, std::string name = {}, host::Target target = host::Target::kLabel);
  ~Progress() { clear(); }

  /// Rewrites the bar; nothing without a terminal.
  void show(const host::TrainingMoment& moment);
  /// A line that stays. `note` ends it.
  void finish_epoch(const host::EpochResult& epoch, const std::string& note = {});

 private:
  std::string numbers(const host::EpochResult& epoch) const;
  void clear();

  int epochs_;
  std::string name_;
  host::Target target_;
  int columns_;
  bool has_bar_ = false;
};

}  // namespace mantissa::cli
