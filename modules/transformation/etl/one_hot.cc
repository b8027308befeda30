#include "modules/transformation/etl/one_hot.h"

#include <algorithm>
#include <array>

namespace amoskys::etl {
namespace {

class OneHot final : public module::Extractor {
  public:
    OneHot(module::ColumnTable& columns, OneHotOptions options, const Baselines& baselines) {
        const auto add = [&](std::string name, std::string formula) {
            return columns.add({.name = std::move(name),
                                .metric = "",
                                .unit = "1",
                                .stage = std::string(one_hot_stage),
                                .formula = std::move(formula)});
        };
        if (options.device)
            for (const auto& [device, ignored] : baselines)
                devices_.emplace_back(
                    device, add("device_is_" + device, "1 where it is this device, else 0"));
        if (options.protocol)
            for (const char* protocol : {"tcp", "udp", "other"})
                protocols_.push_back(add(std::string("protocol_is_") + protocol,
                                         "1 where most flows of the window are of it, else 0"));
    }

    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const auto& [device, column] : devices_)
            row.set(column, window.device == device ? 1 : 0);
        if (protocols_.empty())
            return;
        std::array<std::size_t, 3> flows{};
        for (const module::FlowSample& flow : window.flows)
            ++flows[flow.is_tcp ? 0 : flow.is_udp ? 1 : 2];
        const auto most = std::max_element(flows.begin(), flows.end());
        for (std::size_t i = 0; i < flows.size(); ++i)
            row.set(protocols_[i], *most > 0 && &flows[i] == &*most ? 1 : 0);
    }

  private:
    std::vector<std::pair<std::string, module::ColumnId>> devices_;
    std::vector<module::ColumnId> protocols_;  // tcp, udp, other
};

}  // namespace

std::unique_ptr<module::Extractor> make_one_hot(module::ColumnTable& columns, OneHotOptions options,
                                                const Baselines& baselines) {
    return std::make_unique<OneHot>(columns, options, baselines);
}

}  // namespace amoskys::etl
