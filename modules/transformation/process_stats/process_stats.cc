#include "modules/transformation/process_stats/process_stats.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/module/statistics.h"

namespace amoskys::process_stats {

const std::array<module::FeatureForm, feature_count> catalogue{{
    {"proc_count", "processes", "processes seen in the window, each once"},
    {"proc_new", "processes", "of these, those that started in it"},
    {"proc_terminated", "processes", "of these, those that ended in it"},
    {"proc_churn", "processes", "proc_new + proc_terminated"},
    {"proc_short_lived", "processes", "those that ended in it and lived for less than 10 s"},
    {"proc_executed", "processes", "those that became another program in it"},
    {"proc_suspicious", "events", "security observations in the window"},
    {"proc_cpu_top5_sum", "percent",
     "CPU of the five busiest, by each one's last value; 100 = one CPU"},
    {"proc_mem_top5_sum", "bytes", "resident memory of the five largest, by each one's last value"},
    {"proc_threads_total", "threads", "sum of each process's last number of threads"},
    {"proc_connections_total", "sockets", "sum of each process's last number of sockets"},
    {"proc_files_open_total", "descriptors", "sum of each process's last number of descriptors"},
    {"proc_threads_per_process", "threads", "proc_threads_total over the processes that have one"},
    {"proc_entropy", "bits", "Shannon entropy of the names of the processes"},
    {"proc_unique_names", "names", "different names of programs"},
    {"proc_name_diversity", "1", "proc_unique_names over the processes that have a name"},
    {"proc_high_cpu", "processes", "processes whose last CPU value is above 50 percent"},
    {"proc_high_mem", "processes", "processes whose last resident memory is above 1 GiB"},
}};

namespace {

using module::FeatureRow;
using module::ProcessSample;

double number(std::size_t count) {
    return static_cast<double>(count);
}

// Sum of the largest; missing where there is none.
double top_sum(std::vector<double>& values) {
    if (values.empty())
        return FeatureRow::missing;
    const std::size_t n = std::min(top_processes, values.size());
    std::partial_sort(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(n), values.end(),
                      std::greater<>());
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += values[i];
    return sum;
}

double sum_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values)
        sum += value;
    return values.empty() ? FeatureRow::missing : sum;
}

class ProcessStats final : public module::Extractor {
  public:
    explicit ProcessStats(module::ColumnTable& columns) : columns_(columns) {}

    void extract(const module::Window& window, FeatureRow& row) override {
        if (window.processes.empty())
            return;
        if (!first_)
            first_ = columns_.add_all(catalogue, "proc", "process_stats");
        double* out = row.block(*first_, feature_count);
        const std::size_t suspicious = gather(window.processes);
        at(out, Feature::suspicious) = number(suspicious);
        if (!ordered_.empty())
            describe(out);
    }

  private:
    static double& at(double* out, Feature feature) {
        return out[static_cast<std::size_t>(feature)];
    }

    // The samples by process, each one's in order of time; the number of those that are of none.
    std::size_t gather(std::span<const ProcessSample> samples) {
        ordered_.clear();
        for (const ProcessSample& sample : samples)
            if (sample.kind != ProcessSample::Kind::suspicious)
                ordered_.push_back(&sample);
        std::stable_sort(ordered_.begin(), ordered_.end(),
                         [](const auto* a, const auto* b) { return a->process < b->process; });
        return samples.size() - ordered_.size();
    }

    void describe(double* out) {
        for (auto* values : {&cpu_, &rss_, &threads_, &sockets_, &files_})
            values->clear();
        names_.clear();
        std::size_t count = 0, fresh = 0, ended = 0, brief = 0, executed = 0;
        for (std::size_t begin = 0; begin < ordered_.size();) {
            ProcessSample last;  // of each field the last value that was measured
            bool started = false, over = false, became = false;
            std::size_t end = begin;
            for (; end < ordered_.size() && ordered_[end]->process == ordered_[begin]->process;
                 ++end) {
                const ProcessSample& sample = *ordered_[end];
                started |= sample.kind == ProcessSample::Kind::started;
                became |= sample.kind == ProcessSample::Kind::executed;
                over |= sample.kind == ProcessSample::Kind::ended;
                take_over(sample, last);
            }
            begin = end;
            ++count;
            fresh += started ? 1 : 0;
            executed += became ? 1 : 0;
            ended += over ? 1 : 0;
            brief += over && last.lifetime_s < short_life_s ? 1 : 0;
            keep(last.cpu_percent, cpu_);
            keep(last.rss_bytes, rss_);
            keep(last.threads, threads_);
            keep(last.sockets, sockets_);
            keep(last.files, files_);
            if (last.name != 0)
                names_.push_back(last.name);
        }
        at(out, Feature::count) = number(count);
        at(out, Feature::fresh) = number(fresh);
        at(out, Feature::terminated) = number(ended);
        at(out, Feature::churn) = number(fresh + ended);
        at(out, Feature::short_lived) = number(brief);
        at(out, Feature::executed) = number(executed);
        totals(out);
        names(out);
    }

    void totals(double* out) {
        const auto above = [](const std::vector<double>& values, double limit) {
            return values.empty() ? FeatureRow::missing
                                  : number(static_cast<std::size_t>(std::count_if(
                                        values.begin(), values.end(),
                                        [=](double value) { return value > limit; })));
        };
        at(out, Feature::high_cpu) = above(cpu_, high_cpu_percent);
        at(out, Feature::high_mem) = above(rss_, high_rss_bytes);
        at(out, Feature::cpu_top5_sum) = top_sum(cpu_);
        at(out, Feature::mem_top5_sum) = top_sum(rss_);
        at(out, Feature::threads_total) = sum_of(threads_);
        at(out, Feature::connections_total) = sum_of(sockets_);
        at(out, Feature::files_open_total) = sum_of(files_);
        if (!threads_.empty())
            at(out, Feature::threads_per_process) = sum_of(threads_) / number(threads_.size());
    }

    void names(double* out) {
        if (names_.empty())
            return;
        const module::Diversity found = module::diversity_of(names_);
        at(out, Feature::entropy) = found.entropy_bits;
        at(out, Feature::unique_names) = found.different;
        at(out, Feature::name_diversity) = found.different / number(names_.size());
    }

    static void take_over(const ProcessSample& from, ProcessSample& to) {
        for (double ProcessSample::*field :
             {&ProcessSample::cpu_percent, &ProcessSample::rss_bytes, &ProcessSample::threads,
              &ProcessSample::files, &ProcessSample::sockets, &ProcessSample::lifetime_s})
            if (!std::isnan(from.*field))
                to.*field = from.*field;
        if (from.name != 0)
            to.name = from.name;
    }

    static void keep(double value, std::vector<double>& values) {
        if (!std::isnan(value))
            values.push_back(value);
    }

    module::ColumnTable& columns_;
    std::optional<module::ColumnId> first_;
    // Of the window at hand:
    std::vector<const ProcessSample*> ordered_;
    std::vector<double> cpu_, rss_, threads_, sockets_, files_;
    std::vector<std::uint64_t> names_;
};

}  // namespace

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& /*settings*/) {
    return std::make_unique<ProcessStats>(columns);
}

}  // namespace amoskys::process_stats
