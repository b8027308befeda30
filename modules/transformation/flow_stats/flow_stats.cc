#include "modules/transformation/flow_stats/flow_stats.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

#include "core/module/statistics.h"

namespace amoskys::flow_stats {

const std::array<module::FeatureForm, feature_count> catalogue{{
    {"flow_count", "flows", "flows, and pieces of long ones, whose last packet is in the window"},
    {"flow_new", "flows", "of these, first pieces"},
    {"flow_bytes_sent", "bytes", "bytes from the side that began, IP headers included if known"},
    {"flow_bytes_recv", "bytes", "bytes to the side that began"},
    {"flow_packets_sent", "packets", "packets from the side that began; of the flows that say it"},
    {"flow_packets_recv", "packets", "packets to the side that began; of the flows that say it"},
    {"flow_sent_share", "1", "bytes sent over bytes of both directions; missing where none moved"},
    {"flow_bytes_mean", "bytes", "bytes of both directions per flow"},
    {"flow_duration_mean", "s", "mean time from first to last packet"},
    {"flow_unique_sources", "addresses", "different addresses that began a flow"},
    {"flow_unique_peers", "addresses", "different addresses that a flow went to"},
    {"flow_unique_ports", "ports", "different ports that a flow went to"},
    {"flow_source_entropy", "bits", "Shannon entropy of the addresses that began"},
    {"flow_peer_entropy", "bits", "Shannon entropy of the addresses that flows went to"},
    {"flow_port_entropy", "bits", "Shannon entropy of the ports that flows went to"},
    {"flow_tcp_share", "1", "share of TCP among the flows"},
    {"flow_udp_share", "1", "share of UDP among the flows"},
    {"flow_syn_share", "1", "of the TCP flows, those whose beginner sent SYN and never ACK"},
    {"flow_failed_share", "1", "of the flows with a state, those refused or never answered"},
    {"flow_scan_ports", "ports", "most ports of one target that one source went to"},
    {"flow_scan_hosts", "addresses", "most targets that one source went to at one port"},
    {"flow_beacon", "1",
     "regularity of the most regular of at least four flows from one source to one target port: "
     "1 - std / mean of the distances of their starts, at least 0"},
}};

namespace {

using module::FeatureRow;
using module::FlowSample;

double number(std::size_t count) {
    return static_cast<double>(count);
}

double share(std::size_t part, std::size_t whole) {
    return whole == 0 ? FeatureRow::missing : number(part) / number(whole);
}

class FlowStats final : public module::Extractor {
  public:
    explicit FlowStats(module::ColumnTable& columns) : columns_(columns) {}

    void extract(const module::Window& window, FeatureRow& row) override {
        if (window.flows.empty())
            return;
        if (!first_)
            first_ = columns_.add_all(catalogue, "flow", "flow_stats");
        double* out = row.block(*first_, feature_count);
        volumes(window.flows, out);
        kinds(window.flows, out);
        ends(window.flows, out);
        scans(window.flows, out);
        at(out, Feature::beacon) = beacon(window.flows);
    }

  private:
    static double& at(double* out, Feature feature) {
        return out[static_cast<std::size_t>(feature)];
    }

    static void volumes(std::span<const FlowSample> flows, double* out) {
        // Missing where no flow says it.
        const auto sum = [&](double FlowSample::*field) {
            double total = FeatureRow::missing;
            for (const FlowSample& flow : flows)
                if (!std::isnan(flow.*field))
                    total = (std::isnan(total) ? 0 : total) + flow.*field;
            return total;
        };
        const double sent = sum(&FlowSample::bytes_sent), recv = sum(&FlowSample::bytes_recv);
        double seconds = 0;
        for (const FlowSample& flow : flows)
            seconds += static_cast<double>(flow.time_ns - flow.start_ns) * 1e-9;
        at(out, Feature::bytes_sent) = sent;
        at(out, Feature::bytes_recv) = recv;
        at(out, Feature::packets_sent) = sum(&FlowSample::packets_sent);
        at(out, Feature::packets_recv) = sum(&FlowSample::packets_recv);
        if (sent + recv > 0)
            at(out, Feature::sent_share) = sent / (sent + recv);
        at(out, Feature::bytes_mean) = (sent + recv) / number(flows.size());
        at(out, Feature::duration_mean) = seconds / number(flows.size());
    }

    static void kinds(std::span<const FlowSample> flows, double* out) {
        std::size_t begun = 0, tcp = 0, udp = 0, syn = 0, failed = 0, with_state = 0;
        for (const FlowSample& flow : flows) {
            begun += flow.begins ? 1 : 0;
            tcp += flow.is_tcp ? 1 : 0;
            udp += flow.is_udp ? 1 : 0;
            syn += flow.only_syn ? 1 : 0;
            failed += flow.failed ? 1 : 0;
            with_state += flow.has_state ? 1 : 0;
        }
        at(out, Feature::count) = number(flows.size());
        at(out, Feature::begun) = number(begun);
        at(out, Feature::tcp_share) = share(tcp, flows.size());
        at(out, Feature::udp_share) = share(udp, flows.size());
        at(out, Feature::syn_share) = share(syn, tcp);
        at(out, Feature::failed_share) = share(failed, with_state);
    }

    void ends(std::span<const FlowSample> flows, double* out) {
        const auto fill = [&](auto&& value_of, Feature unique, Feature entropy) {
            values_.clear();
            for (const FlowSample& flow : flows)
                value_of(flow);
            if (values_.empty())
                return;
            const module::Diversity found = module::diversity_of(values_);
            at(out, unique) = found.different;
            at(out, entropy) = found.entropy_bits;
        };
        fill([&](const FlowSample& flow) { values_.push_back(flow.source); },
             Feature::unique_sources, Feature::source_entropy);
        fill([&](const FlowSample& flow) { values_.push_back(flow.target); }, Feature::unique_peers,
             Feature::peer_entropy);
        // Only TCP and UDP have ports.
        fill(
            [&](const FlowSample& flow) {
                if (flow.is_tcp || flow.is_udp)
                    values_.push_back(flow.target_port);
            },
            Feature::unique_ports, Feature::port_entropy);
    }

    void scans(std::span<const FlowSample> flows, double* out) {
        ordered_.clear();
        for (const FlowSample& flow : flows)
            if (flow.is_tcp || flow.is_udp)
                ordered_.push_back(&flow);
        if (ordered_.empty())
            return;
        // In each order the places at which the third key changes, within the same first two.
        const auto most = [&](auto key) {
            std::sort(ordered_.begin(), ordered_.end(),
                      [&](const auto* a, const auto* b) { return key(*a) < key(*b); });
            std::size_t largest = 1, here = 1;
            for (std::size_t i = 1; i < ordered_.size(); ++i) {
                const auto before = key(*ordered_[i - 1]), now = key(*ordered_[i]);
                if (std::get<0>(before) != std::get<0>(now) ||
                    std::get<1>(before) != std::get<1>(now))
                    here = 1;
                else if (before != now)
                    ++here;
                largest = std::max(largest, here);
            }
            return number(largest);
        };
        at(out, Feature::scan_ports) = most([](const FlowSample& flow) {
            return std::tuple(flow.source, flow.target, std::uint64_t{flow.target_port});
        });
        at(out, Feature::scan_hosts) = most([](const FlowSample& flow) {
            return std::tuple(flow.source, std::uint64_t{flow.target_port}, flow.target);
        });
    }

    double beacon(std::span<const FlowSample> flows) {
        ordered_.clear();
        for (const FlowSample& flow : flows)
            if (flow.begins)
                ordered_.push_back(&flow);
        const auto group = [](const FlowSample& flow) {
            return std::tuple(flow.source, flow.target, flow.target_port);
        };
        std::sort(ordered_.begin(), ordered_.end(), [&](const auto* a, const auto* b) {
            return std::tuple(group(*a), a->start_ns) < std::tuple(group(*b), b->start_ns);
        });
        double best = FeatureRow::missing;
        for (std::size_t begin = 0; begin < ordered_.size();) {
            std::size_t end = begin + 1;
            while (end < ordered_.size() && group(*ordered_[end]) == group(*ordered_[begin]))
                ++end;
            if (end - begin >= fewest_beacons)
                best = std::fmax(best, regularity(begin, end));
            begin = end;
        }
        return best;
    }

    double regularity(std::size_t begin, std::size_t end) const {
        const auto distance = [&](std::size_t i) {
            return static_cast<double>(ordered_[i + 1]->start_ns - ordered_[i]->start_ns);
        };
        const double n = number(end - begin - 1);
        const double mean =
            static_cast<double>(ordered_[end - 1]->start_ns - ordered_[begin]->start_ns) / n;
        if (!(mean > 0))
            return 0;  // all at once: a burst
        double squares = 0;
        for (std::size_t i = begin; i + 1 < end; ++i)
            squares += (distance(i) - mean) * (distance(i) - mean);
        return std::fmax(0, 1 - std::sqrt(squares / (n - 1)) / mean);
    }

    module::ColumnTable& columns_;
    std::optional<module::ColumnId> first_;
    // Of the window at hand:
    std::vector<std::uint64_t> values_;
    std::vector<const FlowSample*> ordered_;
};

}  // namespace

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& /*settings*/) {
    return std::make_unique<FlowStats>(columns);
}

}  // namespace amoskys::flow_stats
