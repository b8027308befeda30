// What every model kind must do, whatever it computes. For the tests of the kinds.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>

#include "core/module/model.h"

namespace amoskys::module::test {

using Train = Result<std::unique_ptr<Model>> (*)(const FeatureTable&, std::uint64_t, const Json&);
using Load = Result<std::unique_ptr<Model>> (*)(const model::Saved&, std::size_t);

inline std::vector<double> scores_of(const Model& model, const FeatureTable& table) {
    std::vector<double> out(table.rows());
    model.score(table.values, out);
    return out;
}

inline constexpr std::size_t waves_columns = 4;

struct Why {
    std::vector<double> parts, expected;
};

// Of the last row.
inline Why why_of(const Model& model, std::span<const double> rows,
                  std::size_t columns = waves_columns) {
    Why out{std::vector<double>(columns), std::vector<double>(columns)};
    model.explain(rows, out.parts, out.expected);
    return out;
}

// Metrics of a machine: three waves that go together and one that is noise of a fixed sequence.
inline FeatureTable waves(std::size_t rows) {
    FeatureTable table{{"cpu", "load", "noise", "temp"}, {}, {}};
    std::uint32_t noise = 12345;
    for (std::size_t i = 0; i < rows; ++i) {
        noise = noise * 1664525U + 1013904223U;
        const double jitter = static_cast<double>(noise >> 16U) / 65536.0 - 0.5;
        const double wave = std::sin(static_cast<double>(i) / 20);
        table.values.insert(table.values.end(),
                            {wave + jitter / 50, 10 + 3 * wave - jitter / 30, jitter, 40 + wave});
    }
    return table;
}

// Whether a single far value in training-like rows must have the highest score: not where the model
// counts how many columns are at their edge.
enum class Outlier : std::uint8_t { scores_highest, is_explained };

// Saved and loaded it scores and explains the same to the bit; the same seed gives the same model;
// rows scored one by one with their history are scored as all together; a far value in the second
// column has the second column as its first reason.
inline void check_model(Train train, Load load, Outlier outlier = Outlier::scores_highest,
                        std::size_t rows = 600) {
    FeatureTable table = waves(rows);
    const auto model = train(table, 3, Json::object()).value();
    const auto again = train(table, 3, Json::object()).value();
    CHECK(model->save().encode() == again->save().encode());
    const auto saved = model::Saved::decode(as_bytes(model->save().encode())).value();
    const auto loaded = load(saved, waves_columns).value();
    CHECK_FALSE(load(saved, 2));
    CHECK_FALSE(load(model::Saved(saved.kind()), waves_columns));

    const std::size_t odd = rows - 50;
    table.values[odd * waves_columns + 1] = 40;
    const std::vector<double> together = scores_of(*model, table);
    CHECK(scores_of(*loaded, table) == together);
    std::size_t highest = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        if (together[i] > together[highest])
            highest = i;
        const std::size_t first = i - std::min(i, model->history());
        if (first == 0 && i < model->history())
            continue;
        double alone = 0;
        model->score(table.rows_of(first, i + 1), std::span(&alone, 1));
        CHECK(alone == Approx(together[i]).epsilon(1e-6));
    }
    // A model of windows stays alarmed while the outlier is in its window.
    if (outlier == Outlier::scores_highest) {
        CHECK(highest >= odd);
        CHECK(highest <= odd + model->history());
    }
    const auto until = table.rows_of(odd - std::min(odd, model->history()), odd + 1);
    const Why why = why_of(*model, until), same = why_of(*loaded, until);
    CHECK(why.parts == same.parts);
    CHECK(why.expected == same.expected);
    CHECK(why.parts[1] > why.parts[0]);
    CHECK(why.parts[1] > why.parts[2]);
    CHECK((why.expected[1] > 6 && why.expected[1] < 14));
}

// Constant, empty, huge and missing values: finite scores; too few rows: one clear error.
inline void check_bad_input(Train train) {
    const double missing = std::nan("");
    FeatureTable table{{"constant", "empty", "huge", "moves"}, {}, {}};
    for (int i = 0; i < 40; ++i)
        for (const double value : {3.0, missing, i % 2 == 0 ? 1e308 : -1e308, 1.0 * i})
            table.values.push_back(value);
    const auto model = train(table, 1, Json::object()).value();
    for (double value : {3.0, missing, 1e300, -1e300})
        for (std::size_t i = 0; i < 4; ++i)
            table.values.push_back(value);
    for (const double score : scores_of(*model, table))
        CHECK(std::isfinite(score));
    const Why why = why_of(*model, table.rows_of(table.rows() - 1, table.rows()), 4);
    for (std::size_t c = 0; c < 4; ++c)
        CHECK((std::isfinite(why.parts[c]) && std::isfinite(why.expected[c])));

    for (const FeatureTable& bad :
         {FeatureTable{{"a"}, {1.0}, {}}, FeatureTable{{"a"}, {}, {}}, FeatureTable{}}) {
        const auto refused = train(bad, 0, Json::object());
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == ErrorKind::bad_data);
    }
    const auto unknown = train(waves(50), 0, {{"nonsense", 1U}});
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().kind == ErrorKind::usage);

    // 10,000 columns: learned from, or refused with what to do.
    FeatureTable wide;
    for (std::size_t c = 0; c < 10'000; ++c)
        wide.columns.push_back("c" + std::to_string(c));
    for (std::size_t i = 0; i < 12 * wide.columns.size(); ++i)
        wide.values.push_back(static_cast<double>(i % 97));
    const auto of_wide = train(wide, 0, Json::object());
    if (of_wide)
        CHECK(std::isfinite(scores_of(**of_wide, wide)[0]));
    else
        CHECK(of_wide.error().code == "training_too_wide");
}

}  // namespace amoskys::module::test
