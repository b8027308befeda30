// A model kind for tests: the score is the largest value; it needs no training.
#pragma once

#include <algorithm>
#include <cmath>

#include "modules/intelligence/score/training.h"

namespace amoskys::score::test {

class Largest final : public module::Model {
  public:
    explicit Largest(std::size_t columns) : columns_(columns) {}
    std::size_t history() const override { return 0; }
    void score(std::span<const double> rows, std::span<double> out) const override {
        for (std::size_t i = 0; i < out.size(); ++i) {
            const auto row = rows.subspan(rows.size() - (out.size() - i) * columns_, columns_);
            out[i] = *std::max_element(row.begin(), row.end());
        }
    }
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override {
        const auto row = rows.last(columns_);
        std::fill(parts.begin(), parts.end(), 0);
        std::fill(expected.begin(), expected.end(), 0.5);
        const auto at = std::max_element(row.begin(), row.end()) - row.begin();
        parts[static_cast<std::size_t>(at)] = *std::max_element(row.begin(), row.end());
    }
    model::Saved save() const override { return model::Saved("largest"); }

  private:
    std::size_t columns_;
};

inline Result<std::unique_ptr<module::Model>> train_largest(const module::FeatureTable& table,
                                                            std::uint64_t, const Json&) {
    if (table.rows() == 0)
        return make_error(ErrorKind::bad_data, "training_too_few_rows", "no rows");
    return std::make_unique<Largest>(table.columns.size());
}
inline Result<std::unique_ptr<module::Model>> load_largest(const model::Saved& saved,
                                                           std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    return std::make_unique<Largest>(columns);
}

constexpr module::ModelKind largest_kind = {
    .train = &train_largest, .load = &load_largest, .parameters = "", .member = true};
constexpr module::ModelKind ordered_kind = {.train = &train_largest,
                                            .load = &load_largest,
                                            .parameters = "",
                                            .ordered = true,
                                            .member = true};
constexpr NamedKind known_kinds[] = {{"largest", &largest_kind}, {"ordered", &ordered_kind}};

// a: 1..101, b: 0
inline KeyedTable hundred_rows() {
    std::string text = "a,b\n";
    for (int i = 1; i <= 101; ++i)
        text += std::to_string(i) + ",0\n";
    return parse_table(text, "train.csv", {}).value();
}

inline TrainedModel trained(const std::string& kind = "largest") {
    return train(known_kinds, hundred_rows(),
                 {.name = "mine", .kind = kind, .seed = 4, .now_ns = 1'730'000'000'000'000'000})
        .value();
}

}  // namespace amoskys::score::test
