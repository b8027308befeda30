// The canonical stage of one device, for tests: the events of an instant in, names and values out.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "modules/transformation/etl/canonical.h"
#include "modules/transformation/etl/test/feeder.h"

namespace amoskys::etl::test {

using Values = std::map<std::string, double>;

struct OneDevice {
    MetricTable metrics;
    CanonicalCounts counts;
    Canonicalizer canonicalizer{metrics, counts};

    void text(std::string_view metric, std::string_view index, std::string_view value) {
        wire::Event event = gauge("d", origin, metric, 0, index);
        canonicalizer.read_text(event, value);
    }
    Values at(UnixNanos time_ns, const std::vector<wire::Event>& events) {
        std::vector<RawSample> samples;
        for (const wire::Event& event : events)
            samples.push_back(
                {time_ns, canonicalizer.source_of(event), std::get<double>(event.value)});
        std::vector<CanonicalSample> out;
        canonicalizer.instant(time_ns, samples, out);
        Values named;
        for (const CanonicalSample& sample : out) {
            CHECK(named.count(metrics.at(sample.metric).name) == 0);
            named[metrics.at(sample.metric).name] = sample.value;
        }
        return named;
    }
    std::string unit_of(const std::string& name) {
        return metrics.at(metrics.add({.name = name, .unit = ""})).unit;
    }
};

}  // namespace amoskys::etl::test
