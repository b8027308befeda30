// What the models of `score` find, on the labelled sets of $AMOSKYS_SHARED_DATA/ml: one set of
// defaults for all of them, nothing is chosen per file. Then how fast the forest is.
//
// ours against the bar (peer); the note names the baseline that was measured with other programs.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>

#include "bench/measure.h"
#include "core/base/file.h"
#include "core/module/module.h"
#include "modules/intelligence/score/evaluate.h"
#include "modules/intelligence/score/report.h"
#include "modules/intelligence/score/training.h"

using namespace amoskys;
using namespace amoskys::bench;
using namespace amoskys::score;
namespace fs = std::filesystem;

namespace {

const fs::path data = fs::path(AMOSKYS_SHARED_DATA) / "ml";
constexpr std::string_view machines[] = {"machine-1-2", "machine-1-6", "machine-2-1",
                                         "machine-3-4"};

std::vector<NamedKind> kinds() {
    std::vector<NamedKind> out;
    for (const module::ModuleInfo* info : module::all_modules())
        if (info->kind == module::Kind::model)
            out.push_back({info->name, info->model});
    return out;
}

TrainedModel trained(const KeyedTable& table, const std::string& kind, std::uint64_t seed = 0,
                     std::size_t smoothing = 0) {
    return need(score::train(kinds(), table,
                             {.name = kind, .kind = kind, .seed = seed, .smoothing = smoothing}));
}

struct Outcome {
    Evaluation quality;
    double false_events = 0, events_found = 0;
};

Outcome outcome_of(const TrainedModel& model, const KeyedTable& test) {
    std::vector<double> severities;
    std::vector<bool> flagged;
    for (const Finding& finding : findings_of(model, test.features)) {
        severities.push_back(finding.fused.severity);
        flagged.push_back(finding.verdict.anomaly);
    }
    Outcome out{need(evaluate(severities, test.labels, flagged))};
    const auto any = [](const std::vector<bool>& of, std::size_t first, std::size_t last) {
        return std::find(of.begin() + static_cast<std::ptrdiff_t>(first),
                         of.begin() + static_cast<std::ptrdiff_t>(last),
                         true) != of.begin() + static_cast<std::ptrdiff_t>(last);
    };
    for (const auto& [first, last] : runs_of(flagged))
        out.false_events += any(test.labels, first, last) ? 0 : 1;
    const auto events = runs_of(test.labels);
    for (const auto& [first, last] : events)
        out.events_found += any(flagged, first, last) ? 1 / static_cast<double>(events.size()) : 0;
    return out;
}

struct Machine {
    std::string name;
    KeyedTable train, test;
};

std::vector<Machine> read_machines() {
    std::vector<Machine> out;
    for (const std::string_view name : machines) {
        const fs::path base = data / "smd" / name;
        out.push_back({std::string(name), need(read_table(base.string() + "_train.csv", {})),
                       need(read_table(base.string() + "_test.csv", {.label = "label"}))});
    }
    return out;
}

struct Mean {
    double roc_auc = 0, average_precision = 0, best_f1 = 0, vus_pr = 0, f1 = 0, precision = 0,
           recall = 0, false_events = 0, events_found = 0;
    void add(const Outcome& each, double n) {
        roc_auc += each.quality.roc_auc / n;
        average_precision += each.quality.average_precision / n;
        best_f1 += each.quality.best_f1 / n;
        vus_pr += each.quality.vus_pr / n;
        f1 += each.quality.f1 / n;
        precision += each.quality.precision / n;
        recall += each.quality.recall / n;
        false_events += each.false_events / n;
        events_found += each.events_found / n;
    }
};

std::string three(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", value);
    return text;
}

void bench_adbench(std::vector<Row>& rows, std::vector<std::string>& notes) {
    struct Set {
        const char* name;
        double roc_auc, roc_auc_sd, average_precision, average_precision_sd;
    };
    // scikit-learn 1.2.1, mean and standard deviation over five seeds.
    constexpr Set sets[] = {
        {"cardio", .932, .012, .563, .039},      {"thyroid", .978, .002, .518, .045},
        {"mammography", .859, .004, .194, .017}, {"satellite", .696, .019, .657, .020},
        {"shuttle", .997, .000, .977, .003},     {"http", 1.000, .000, .995, .009}};
    constexpr double seeds = 5, rounding = 5e-4;
    Mean all, ecod;
    double near = 0;
    std::string note =
        "ADBench, iforest ROC-AUC / AP (in standard deviations from scikit-learn's):";
    for (const Set& set : sets) {
        const KeyedTable table = need(
            read_table(data / "adbench" / (std::string(set.name) + ".csv"), {.label = "label"}));
        Mean mean;
        for (std::uint64_t seed = 0; seed < 5; ++seed)
            mean.add(outcome_of(trained(table, "iforest", seed), table), seeds);
        ecod.add(outcome_of(trained(table, "ecod"), table), std::size(sets));
        all.roc_auc += mean.roc_auc / std::size(sets);
        all.average_precision += mean.average_precision / std::size(sets);
        const double auc_off = std::abs(mean.roc_auc - set.roc_auc);
        const double ap_off = std::abs(mean.average_precision - set.average_precision);
        near += auc_off <= 2 * set.roc_auc_sd + rounding &&
                        ap_off <= 2 * set.average_precision_sd + rounding
                    ? 1
                    : 0;
        note += std::string(" ") + set.name + " " + three(mean.roc_auc) + "/" +
                three(mean.average_precision) + " (" +
                three(auc_off / std::max(set.roc_auc_sd, rounding)) + ", " +
                three(ap_off / std::max(set.average_precision_sd, rounding)) + ");";
    }
    notes.push_back(note);
    rows.push_back({"iforest, 6 ADBench sets, 5 seeds", "ROC-AUC", all.roc_auc, .905,
                    "wanted; scikit-learn .910"});
    rows.push_back({"the same", "AP", all.average_precision, .64, "wanted; scikit-learn .651"});
    rows.push_back({"sets within 2 sd of scikit-learn", "sets", near, 6, "wanted"});
    rows.push_back({"ecod, 6 ADBench sets", "ROC-AUC", ecod.roc_auc, .895, "PyOD's"});
    rows.push_back({"the same", "AP", ecod.average_precision, .512, "PyOD's"});
}

Mean over(const std::vector<Machine>& all, const std::string& kind, std::string& note,
          std::uint64_t seed = 0, std::size_t smoothing = 0) {
    Mean mean;
    note += kind + " AP";
    for (const Machine& machine : all) {
        const Outcome outcome =
            outcome_of(trained(machine.train, kind, seed, smoothing), machine.test);
        mean.add(outcome, std::size(machines));
        note += " " + three(outcome.quality.average_precision);
    }
    note += "; ";
    return mean;
}

void bench_smd(std::vector<Row>& rows, std::vector<std::string>& notes,
               const std::vector<Machine>& all) {
    std::string note = "SMD, machines 1-2, 1-6, 2-1, 3-4: ";
    Mean projected;
    for (std::uint64_t seed = 0; seed < 3; ++seed)
        projected.average_precision += over(all, "pforest", note, seed).average_precision / 3;
    rows.push_back({"pforest, 4 SMD machines, 3 seeds", "AP", projected.average_precision, .38,
                    "wanted; .386 / .397"});
    for (const char* kind : {"zscore", "pca"}) {
        const Mean mean = over(all, kind, note);
        rows.push_back({std::string(kind) + ", 4 SMD machines", "AP", mean.average_precision, .67,
                        "wanted; .671"});
    }
    const Mean var = over(all, "var", note), kmeans = over(all, "kmeans", note);
    rows.push_back(
        {"var, 4 SMD machines", "AP", var.average_precision, .596, "measured with numpy"});
    rows.push_back(
        {"kmeans, 4 SMD machines", "AP", kmeans.average_precision, .647, "measured with numpy"});
    const Mean fused = over(all, "fused", note);
    rows.push_back({"fused, 4 SMD machines", "ROC-AUC", fused.roc_auc, .90, "wanted; .908"});
    rows.push_back({"the same", "AP", fused.average_precision, .71, "wanted; .711"});
    rows.push_back({"the same", "best F1", fused.best_f1, .71, "wanted; .715"});
    rows.push_back({"the same", "VUS-PR", fused.vus_pr, .60, "wanted"});
    rows.push_back({"fused, threshold without labels", "F1", fused.f1, .40, "wanted; .42"});
    rows.push_back(
        {"its false events in 16.5 days", "events", fused.false_events, 6, "wanted at most; 5.5"});
    notes.push_back(note + "label-free threshold: precision " + three(fused.precision) +
                    ", recall " + three(fused.recall) + ", events found " +
                    three(fused.events_found));
}

struct Interpretation {
    std::size_t first = 0, last = 0;
    std::vector<std::size_t> columns;
};

std::vector<Interpretation> read_interpretations(const std::string& machine) {
    std::vector<Interpretation> out;
    std::ifstream in(data / "smd" / (machine + "_interpretation_label.txt"));
    std::string line;
    while (std::getline(in, line)) {
        Interpretation each;
        int used = 0;
        if (std::sscanf(line.c_str(), "%zu-%zu:%n", &each.first, &each.last, &used) != 2)
            continue;
        for (const char* at = line.c_str() + used; *at != 0;) {
            char* end = nullptr;
            each.columns.push_back(std::strtoul(at, &end, 10) - 1);
            at = *end == ',' ? end + 1 : end;
        }
        out.push_back(each);
    }
    return out;
}

// Of each labelled anomaly: what is named for its rows together.
void bench_reasons(std::vector<Row>& rows, std::vector<std::string>& notes,
                   const std::vector<Machine>& all, const std::string& kind) {
    double hits = 0, top = 0, count = 0;
    for (const Machine& machine : all) {
        const TrainedModel model = trained(machine.train, kind);
        for (const Interpretation& known : read_interpretations(machine.name)) {
            const std::size_t end = std::min(known.last + 1, machine.test.features.rows());
            const std::size_t before = std::min(model.ensemble.history(), known.first);
            const auto named = model.ensemble.explain(
                machine.test.features.rows_of(known.first - before, end), model.columns.size(),
                end - known.first, known.columns.size() * 3 / 2);
            const auto is_known = [&known](const Reason& reason) {
                return std::find(known.columns.begin(), known.columns.end(), reason.column) !=
                       known.columns.end();
            };
            hits += static_cast<double>(std::count_if(named.begin(), named.end(), is_known)) /
                    static_cast<double>(known.columns.size());
            top += !named.empty() && is_known(named[0]) ? 1 : 0;
            ++count;
        }
    }
    if (kind == "fused") {
        rows.push_back(
            {"reasons of fused, 61 anomalies", "HitRate@150%", hits / count, .75, "wanted; .756"});
        rows.push_back({"the first one named", "right", top / count, .74, "wanted; .738"});
    }
    notes.push_back("reasons of " + kind + ": HitRate@150% " + three(hits / count) + ", first " +
                    three(top / count) + " of " + std::to_string(static_cast<int>(count)));
}

// NAB: fit on the whole series, scored on it, windows as truth.
std::vector<bool> nab_labels(const fs::path& file, const Json& windows) {
    std::vector<bool> out;
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
        const std::string time = line.substr(0, line.find(','));
        bool inside = false;
        for (const Json& window : windows)
            inside = inside || (time >= window[0].get<std::string>().substr(0, 19) &&
                                time <= window[1].get<std::string>().substr(0, 19));
        out.push_back(inside);
    }
    return out;
}

void bench_nab(std::vector<Row>& rows, std::vector<std::string>& notes) {
    const std::string text = need(read_file(data / "nab" / "combined_windows.json", 1 << 20));
    const Json all = need(json::parse(text, "combined_windows.json"));
    std::map<std::string, Mean> means;
    double series = 0;
    for (const auto& [name, windows] : all.items())
        if (fs::exists(data / "nab" / name) && !windows.empty())
            ++series;
    for (const auto& [name, windows] : all.items()) {
        const fs::path file = data / "nab" / name;
        if (!fs::exists(file) || windows.empty())
            continue;
        KeyedTable table = need(read_table(file, {}));
        table.labels = nab_labels(file, windows);
        for (const char* kind : {"fused", "zscore", "pca", "kmeans"})
            means[kind].add(outcome_of(trained(table, kind), table), series);
    }
    rows.push_back({"fused, NAB, " + std::to_string(static_cast<int>(series)) + " series", "VUS-PR",
                    means["fused"].vus_pr, .38, "wanted; .384"});
    std::string note = "NAB VUS-PR:";
    for (const auto& [kind, mean] : means)
        note += " " + kind + " " + three(mean.vus_pr);
    notes.push_back(note);
}

// Forecasts of NAB's cloud metrics (a row is five minutes): learnt on the first half, mean absolute
// percentage error on the second; medians over the series, where 0 cannot be divided by.
void bench_forecast(std::vector<Row>& rows, std::vector<std::string>& notes) {
    constexpr std::size_t horizons[] = {1, 3, 12}, day = 288, every = 7;
    const module::ModelKind* const kind = need(find_kind(kinds(), "var"));
    std::vector<double> errors[std::size(horizons)][3];
    for (const auto& entry : fs::directory_iterator(data / "nab" / "realAWSCloudwatch")) {
        const module::FeatureTable all = need(read_table(entry.path(), {})).features;
        const std::size_t half = all.rows() / 2;
        module::FeatureTable training{
            all.columns,
            {all.values.begin(), all.values.begin() + static_cast<std::ptrdiff_t>(half)},
            {}};
        const auto model = need(kind->train(training, 0, Json::object()));
        double sums[std::size(horizons)][3] = {}, counts[std::size(horizons)] = {};
        for (std::size_t now = half; now + 12 < all.rows(); now += every) {
            const auto ahead = kind->forecast(*model, all.rows_of(now - 20, now + 1), 12);
            for (std::size_t h = 0; h < std::size(horizons); ++h) {
                const std::size_t at = now + horizons[h];
                const double value = all.values[at];
                if (std::abs(value) < 1e-9)
                    continue;
                const double guesses[] = {ahead.values[horizons[h] - 1], all.values[now],
                                          all.values[at - day]};
                for (std::size_t k = 0; k < 3; ++k)
                    sums[h][k] += std::abs((guesses[k] - value) / value) * 100;
                ++counts[h];
            }
        }
        for (std::size_t h = 0; h < std::size(horizons); ++h)
            for (std::size_t k = 0; k < 3 && counts[h] > 0; ++k)
                errors[h][k].push_back(sums[h][k] / counts[h]);
    }
    for (std::size_t h = 0; h < std::size(horizons); ++h) {
        const std::string name =
            "var, forecast " + std::to_string(5 * horizons[h]) + " minutes ahead";
        rows.push_back({name, "MAPE %", median(errors[h][0]), median(errors[h][1]), "last value"});
        rows.push_back(
            {"the same", "MAPE %", median(errors[h][0]), median(errors[h][2]), "the day before"});
    }
    notes.push_back("forecasts: medians over " + std::to_string(errors[0][0].size()) +
                    " series of realAWSCloudwatch");
}

void bench_speed(std::vector<Row>& rows, const Machine& machine) {
    const auto known = kinds();
    const module::ModelKind* const forest = need(find_kind(known, "iforest"));
    std::vector<double> fits, rates, singles;
    std::unique_ptr<module::Model> model;
    for (int round = 0; round < 15; ++round) {
        const Stopwatch watch;
        model = need(forest->train(machine.train.features, 0, Json::object()));
        fits.push_back(watch.seconds() * 1e3);
    }
    const module::FeatureTable& test = machine.test.features;
    std::vector<double> scores(test.rows());
    for (int round = 0; round < 15; ++round) {
        const Stopwatch watch;
        model->score(test.values, scores);
        rates.push_back(static_cast<double>(test.rows()) / watch.seconds());
    }
    for (std::size_t row = 0; row < test.rows(); ++row) {
        const Stopwatch watch;
        model->score(test.row(row), std::span(scores).first(1));
        singles.push_back(watch.seconds() * 1e6);
    }
    rows.push_back({"iforest, fit 100 x 256, 38 columns", "ms", median(fits), 5,
                    "wanted at most; scikit-learn 100"});
    rows.push_back({"iforest, score, one core", "rows/s", median(rates), 600'000,
                    "wanted; onnxruntime 540,000"});
    rows.push_back({"iforest, one row", "us", median(singles), 5, "wanted at most"});
}

}  // namespace

int main(int argc, char** argv) {
    const Form form = form_of(argc, argv);
    if (!fs::exists(data)) {
        std::cerr << "bench score: no " << data << "; $AMOSKYS_SHARED_DATA has it\n";
        return 66;
    }
    std::vector<Row> rows;
    std::vector<std::string> notes;
    bench_adbench(rows, notes);
    const std::vector<Machine> all = read_machines();
    bench_smd(rows, notes, all);
    for (const char* kind : {"fused", "zscore", "pca", "iforest"})
        bench_reasons(rows, notes, all, kind);
    bench_nab(rows, notes);
    bench_forecast(rows, notes);
    bench_speed(rows, all[0]);
    print(rows, notes, form);
}
