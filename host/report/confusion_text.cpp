// Tries the forms in turn, from the most explicit one to the shortest.
#include "host/report/confusion_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "host/report/text.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kConfusionsShown = 10;

std::string class_name(const std::vector<std::string>& names, size_t i) {
  return i < names.size() ? names[i] : fmt::format("{}", i);
}

std::string rounded_percent(float share, bool is_defined) {
  return is_defined ? fmt::format("{:.1f} %", 100 * static_cast<double>(share)) : "-";
}

enum class Heads { kNames, kNumbers };

Table matrix(const Evaluation& e, const std::vector<std::string>& names, Heads heads) {
  const size_t classes = e.classes.size();
  Table table(fmt::format("l{:r<{}}", "", classes + 1));
  std::vector<std::string> head = {""}, precision = {"precision"};
  for (size_t i = 0; i < classes; ++i) {
    head.push_back(heads == Heads::kNames ? class_name(names, i) : fmt::format("{}", i));
    precision.push_back(rounded_percent(e.classes[i].precision(), e.classes[i].predicted > 0));
  }
  head.emplace_back("recall");
  precision.emplace_back("");
  table.add(head);
  for (size_t i = 0; i < classes; ++i) {
    const bool numbered = heads == Heads::kNumbers && !names.empty();
    std::vector<std::string> row = {numbered ? fmt::format("{:>2} {}", i, class_name(names, i))
                                             : class_name(names, i)};
    for (size_t k = 0; k < classes; ++k) {
      const int32_t count = e.confusions(i, k);
      row.push_back(count == 0 ? "." : fmt::format("{}", count));
    }
    row.push_back(rounded_percent(e.classes[i].recall(), e.classes[i].labelled > 0));
    table.add(row);
  }
  table.add(precision);
  return table;
}

struct Confusion {
  int32_t count = 0;
  size_t label = 0, prediction = 0;
};

std::string largest_confusions(const Evaluation& e, const std::vector<std::string>& names) {
  std::vector<Confusion> all;
  const size_t classes = e.classes.size();
  for (size_t i = 0; i < e.confusion_counts.size(); ++i)
    if (i / classes != i % classes && e.confusion_counts[i] > 0)
      all.push_back({e.confusion_counts[i], i / classes, i % classes});
  std::stable_sort(all.begin(), all.end(),
                   [](const Confusion& a, const Confusion& b) { return a.count > b.count; });
  if (all.empty()) return fmt::format("no confusions among {} classes\n", classes);
  Table table("rll");
  for (size_t i = 0; i < std::min(all.size(), kConfusionsShown); ++i)
    table.add({grouped(all[i].count), class_name(names, all[i].label),
               fmt::format("taken for {}", class_name(names, all[i].prediction))});
  return fmt::format("most frequent of {} kinds of confusion among {} classes\n{}", all.size(), classes,
                     table.text());
}

}  // namespace

std::string confusion_text(const Evaluation& e, const std::vector<std::string>& names, size_t columns) {
  if (e.confusion_counts.empty())
    return fmt::format("no confusion matrix: {} classes, and at most {} have one\n", e.classes.size(),
                       kMaxConfusionClasses);
  constexpr size_t kIndent = 2;
  for (const Heads heads : {Heads::kNames, Heads::kNumbers}) {
    if (e.classes.size() > columns) break;
    const Table table = matrix(e, names, heads);
    if (table.width() + kIndent <= columns)
      return fmt::format("confusion matrix: rows are labels, columns are predictions\n{}", table.text());
  }
  return largest_confusions(e, names);
}

}  // namespace mantissa::host
