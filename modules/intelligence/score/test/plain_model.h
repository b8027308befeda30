// A model kind for tests: the score is the largest value; it needs no training.
#pragma once

#include <algorithm>
#include <cmath>

#include "modules/intelligence/score/model_file.h"

namespace amoskys::score::test {

class Largest final : public module::Model {
  public:
    explicit Largest(std::vector<std::string> columns) : columns_(std::move(columns)) {}
    std::span<const std::string> columns() const override { return columns_; }
    double score(std::span<const double> row) const override {
        return *std::max_element(row.begin(), row.end());
    }
    std::vector<module::Contribution> explain(std::span<const double> row,
                                              std::size_t most) const override {
        const auto at = std::max_element(row.begin(), row.end()) - row.begin();
        if (most == 0)
            return {};
        return {{static_cast<std::size_t>(at), 0.5, 1}};
    }
    Json save() const override { return {{"columns", columns_}}; }

  private:
    std::vector<std::string> columns_;
};

inline Result<std::unique_ptr<module::Model>> train_largest(const module::FeatureTable& table,
                                                            std::uint64_t, const Json&) {
    if (table.rows() == 0)
        return make_error(ErrorKind::bad_data, "training_too_few_rows", "no rows");
    return std::make_unique<Largest>(table.columns);
}
inline Result<std::unique_ptr<module::Model>> load_largest(const Json& saved) {
    return std::make_unique<Largest>(saved["columns"].get<std::vector<std::string>>());
}

constexpr module::ModelKind largest_kind = {&train_largest, &load_largest, ""};
constexpr NamedKind known_kinds[] = {{"largest", &largest_kind}};

}  // namespace amoskys::score::test
