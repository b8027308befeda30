// Derived metrics of the earlier catalogue (cpu_avg, memory_percent, network_total_mbps ...), made
// of what snmp and proc publish, instant by instant. Only from values of that instant: what is not
// there is not guessed. The table in derive.cc has the formulas.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modules/transformation/etl/state_archive.h"

namespace amoskys::etl {

struct DerivedForm {
    std::string_view name, unit, formula;
};
std::span<const DerivedForm> derived_forms();

// What derived metrics are made of; `none` for everything else.
enum class Ingredient : std::uint8_t {
    none,
    cpu_load,
    memory_total,
    memory_available,
    swap_total,
    swap_available,
    storage_percent,
    octets_in,
    octets_out,
    octets_in_wide,
    octets_out_wide,
    packets_in,
    packets_out,
    errors_in,
    errors_out,
    disk_reads,
    disk_writes,
    disk_bytes_read,
    disk_bytes_written,
    cpu_idle,
    cpu_wait,
    cpu_steal,
    cpu_other,
    uptime_host,
    uptime_agent,
    connections,
    count
};
// Of a canonical metric: "ifInOctets_rate".
Ingredient ingredient_of(std::string_view canonical_name);

bool of_interfaces(Ingredient what);
bool of_octets(Ingredient what);

// The values of one instant of a device.
class Ingredients {
  public:
    void add(Ingredient what, double value);
    // Index into derived_forms() and value, for each that can be made; then forgets the instant.
    void derive(std::vector<std::pair<std::size_t, double>>& out);

  private:
    struct Sum {
        double total = 0, most = 0;
        std::uint32_t count = 0;
    };
    const Sum& of(Ingredient what) const { return sums_[static_cast<std::size_t>(what)]; }
    std::optional<double> total(Ingredient what) const;
    std::optional<double> total(Ingredient first, Ingredient second) const;

    std::array<Sum, static_cast<std::size_t>(Ingredient::count)> sums_{};
    bool any_ = false;
};

// Rows of tables that do not belong in a sum: what a device's texts say about them. Loopback
// interfaces are no network, memory is no disk.
class RowRoles {
  public:
    static bool concerns(std::string_view metric);
    // A text metric of a row that concerns() it. True where it changed what is known.
    bool learn(std::string_view metric, std::string_view index, std::string_view text);
    bool counts(Ingredient what, std::string_view index) const;
    void transfer(StateArchive& archive);

  private:
    std::set<std::string, std::less<>> loopbacks_, file_systems_;
};

}  // namespace amoskys::etl
