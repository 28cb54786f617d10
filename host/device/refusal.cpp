// Tries one change at a time, then all of them together, then other boards. A change that changes nothing does not help.
#include "host/device/refusal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <vector>

#include "host/error.hpp"
#include "host/report/text.hpp"

namespace mantissa::host {
namespace {

/// A training as a person could ask for it.
struct Choice {
  NamedRecipe recipe;
  BoardTarget target;
  BoardOptions options;
};

/// What it takes; nothing where it cannot be planned.
std::optional<uint64_t> bytes_of(const Description& description, const Choice& choice) {
  try {
    return BoardPlan(description, choice.recipe, choice.target, choice.options).memory().total();
  } catch (const Error&) {
    return std::nullopt;
  }
}

void narrow_momentum(LayerFormats& formats) {
  if (formats.momentum == sym_format(16)) formats.momentum = sym_format(8);
}

NamedRecipe with_narrow_momentum(NamedRecipe recipe) {
  narrow_momentum(recipe.settings.formats);
  for (LayerOverride& o : recipe.overrides) narrow_momentum(o.formats);
  return recipe;
}

/// Looks for the least, and writes down what helped on the way.
class Search {
 public:
  Search(const Description& description, const Choice& given, uint64_t total)
      : description_(description), given_(given), best_(given), total_(total), least_(total) {}

  /// Notes a change if it takes less than what was given; keeps it if it also takes less together with those kept before.
  template <class Change>
  void attempt(const std::string& what, const char* why, Change change) {
    Choice alone = given_, together = best_;
    change(alone);
    change(together);
    const auto bytes = bytes_of(description_, alone), bytes_together = bytes_of(description_, together);
    if (!bytes || *bytes >= total_) return;
    found_.push_back(fmt::format("{}{}: {} bytes{}", what, why, grouped_size(*bytes), verdict(*bytes)));
    if (!bytes_together || *bytes_together >= least_) return;
    best_ = together;
    least_ = *bytes_together;
    kept_.push_back(what);
  }

  void conclude() {
    if (kept_.size() < 2) return;
    const std::string last = kept_.back();
    kept_.pop_back();
    found_.push_back(fmt::format("{} and {} together: {} bytes{}", fmt::join(kept_, ", "), last,
                                 grouped_size(least_), verdict(least_)));
  }
  std::vector<std::string>& found() { return found_; }

 private:
  const char* verdict(uint64_t bytes) const {
    return bytes <= given_.target.board.ram_bytes ? ", which fits" : "";
  }

  const Description& description_;
  Choice given_, best_;
  uint64_t total_, least_;
  std::vector<std::string> kept_, found_;
};

std::optional<std::string> larger_board(const Description& description, Choice choice) {
  for (const Board& board : boards()) {
    choice.target.board = board;
    const auto bytes = bytes_of(description, choice);
    if (bytes && *bytes <= board.ram_bytes)
      return fmt::format("--board {}, which has {}", board.name, grouped_size(board.ram_bytes));
  }
  return std::nullopt;
}

std::vector<std::string> remedies(const Description& description, const Choice& given, uint64_t total) {
  Search search(description, given, total);
  search.attempt("--batch 1", " (no gradient is stored then)", [](Choice& c) { c.options.batch = 1; });
  for (const std::string_view name : {"int8", "sym8"})
    search.attempt(fmt::format("--recipe {}", name), "",
                   [&](Choice& c) { c.recipe = find_recipe(name, description); });
  search.attempt("--momentum 0", "", [](Choice& c) { c.options.momentum = false; });
  search.attempt("a recipe file with momentum = \"sym8\"", "",
                 [](Choice& c) { c.recipe = with_narrow_momentum(c.recipe); });
  search.attempt("--kernels ref", " (slower)",
                 [](Choice& c) { c.target.kernels = BoardKernels::kReference; });
  search.conclude();
  if (const auto board = larger_board(description, given)) search.found().push_back(*board);
  return search.found();
}

}  // namespace

std::string refusal(const BoardPlan& plan, const Description& description, const NamedRecipe& recipe,
                    const BoardTarget& target, const BoardOptions& options) {
  const BoardMemory& m = plan.memory();
  const uint64_t ram = plan.board().ram_bytes;
  const auto helps = remedies(description, {recipe, target, options}, m.total());
  return fmt::format(
      "{} with recipe {} and batch {} takes {} bytes of RAM (static {}, arena {}, {}stack {}), "
      "{} more than "
      "{} has; {}",
      description.name, recipe.name, options.batch, grouped_size(m.total()), grouped_size(m.static_bytes),
      grouped_size(m.arena_bytes),
      m.sample_bytes > 0 ? fmt::format("sample {}, ", grouped_size(m.sample_bytes)) : "",
      grouped_size(m.stack_bytes), grouped_size(m.total() - ram), plan.board().name,
      helps.empty() ? "a smaller model would help"
                    : fmt::format("what would help: {}", fmt::join(helps, "; ")));
}

void require_fit(const BoardPlan& plan, const Description& description, const NamedRecipe& recipe,
                 const BoardTarget& target, const BoardOptions& options) {
  if (!plan.fits()) throw Error(refusal(plan, description, recipe, target, options));
}

}  // namespace mantissa::host
