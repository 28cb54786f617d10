// The same results twice: aligned text, and JSON with fixed keys.
#include "host/report/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/report/confusion_text.hpp"
#include "host/report/text.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kSaturationsShown = 5;

uint64_t total(const std::vector<Saturation>& all) {
  uint64_t codes = 0;
  for (const Saturation& s : all) codes += s.codes;
  return codes;
}

std::string saturation_lines(const std::vector<Saturation>& all) {
  Table table("rl");
  for (size_t i = 0; i < std::min(all.size(), kSaturationsShown); ++i)
    table.add({grouped(static_cast<int64_t>(all[i].codes)), all[i].where});
  if (all.size() > kSaturationsShown)
    table.add({"", fmt::format("and {} more places", all.size() - kSaturationsShown)});
  return table.text(20);
}

std::string memory_line(const Results& r) {
  const auto planned = static_cast<int64_t>(r.arena_bytes);
  if (r.peak_bytes == 0) return fmt::format("{} bytes planned", grouped(planned));
  return fmt::format("{} bytes planned, {} used", grouped(planned),
                     grouped(static_cast<int64_t>(r.peak_bytes)));
}

std::string line(std::string_view name, const std::string& value) {
  return fmt::format("  {:<16}  {}\n", name, value);
}

nlohmann::ordered_json confusion_json(const Evaluation& e) {
  if (e.confusion_counts.empty()) return nullptr;
  auto rows = nlohmann::ordered_json::array();
  const auto classes = static_cast<std::ptrdiff_t>(e.classes.size());
  for (auto row = e.confusion_counts.begin(); row != e.confusion_counts.end(); row += classes)
    rows.push_back(std::vector<int32_t>(row, row + classes));
  return rows;
}

}  // namespace

std::string hash_text(uint64_t hash) { return fmt::format("{:016x}", hash); }

nlohmann::ordered_json reconstruction_json(const Reconstruction& r) {
  nlohmann::ordered_json j = {{"train_error", r.train_error}, {"test_error", r.test_error}};
  if (r.detection)
    j.update({{"usual_class", r.usual_class},
              {"auc", r.detection->auc},
              {"threshold", r.detection->threshold},
              {"f1", r.detection->f1}});
  return j;
}

std::string results_text(const Results& r, size_t columns) {
  std::string out;
  if (r.test) {
    const Evaluation& e = *r.test;
    int64_t correct = 0;
    for (const ClassCount& c : e.classes) correct += c.correct;
    out += line("test accuracy",
                fmt::format("{:.4f}  ({} of {})", e.accuracy, grouped(correct), grouped(e.samples)));
    out += line("macro F1", fmt::format("{:.4f}", e.macro_f1));
    out += line("test loss", fmt::format("{:.4f}", e.loss));
  }
  if (r.reconstruction) {
    const Reconstruction& e = *r.reconstruction;
    out += line("training error", fmt::format("{:.4f}", e.train_error));
    out += line("test error", fmt::format("{:.4f}", e.test_error));
    if (e.detection) {
      out += line("AUC",
                  fmt::format("{:.4f}  (error, class {} against the rest)", e.detection->auc, e.usual_class));
      out +=
          line("F1", fmt::format("{:.4f}  (errors above {:.4f}: mean + 2 deviations of the training errors)",
                                 e.detection->f1, e.detection->threshold));
    }
  }
  if (r.samples_per_second > 0)
    out += line("speed", fmt::format("{} samples/s", grouped(static_cast<int64_t>(r.samples_per_second))));
  out += line("memory", memory_line(r));
  if (!r.is_float) {
    out += line("saturated codes", grouped(static_cast<int64_t>(total(r.saturated))));
    out += saturation_lines(r.saturated);
  }
  out += line("weights hash", hash_text(r.weights_hash));
  if (r.test) out += fmt::format("\n{}", confusion_text(*r.test, r.class_names, columns));
  return out;
}

std::string results_json(const Results& r) {
  nlohmann::ordered_json j;
  const bool tested = r.test.has_value();
  const auto measured = [tested](double value) {
    return tested ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  const Evaluation e = tested ? *r.test : Evaluation{};
  j["model"] = r.model;
  j["recipe"] = r.recipe;
  j["seed"] = r.seed;
  j["epochs"] = r.epochs;
  j["steps"] = r.steps;
  j["batch"] = r.batch;
  j["micro_batch"] = r.micro_batch;
  j["threads"] = r.threads;
  j["kernels"] = r.kernels;
  j["version"] = r.version;
  j["interrupted"] = r.interrupted;
  j["test_accuracy"] = measured(e.accuracy);
  j["test_loss"] = measured(e.loss);
  j["macro_f1"] = measured(e.macro_f1);
  if (r.reconstruction) j["reconstruction"] = reconstruction_json(*r.reconstruction);
  j["train_loss"] = r.train_loss;
  j["train_accuracy"] = r.train_accuracy;
  j["samples_per_second"] = r.samples_per_second;
  j["parameters"] = r.parameters;
  j["arena_bytes"] = r.arena_bytes;
  j["peak_bytes"] = r.peak_bytes;
  j["saturated"] = total(r.saturated);
  j["saturated_in"] = nlohmann::ordered_json::object();
  for (const Saturation& s : r.saturated) j["saturated_in"][s.where] = s.codes;
  j["weights_hash"] = hash_text(r.weights_hash);
  j["class_names"] = r.class_names;
  j["confusion_matrix"] = tested ? confusion_json(e) : nlohmann::ordered_json();
  return j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace mantissa::host
