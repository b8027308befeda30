// What a process does that an attacker would do: rules over what was read of it, with ATT&CK
// technique and evidence. Pure functions of a Subject; an observation is no verdict. Used by the
// Worker, which says each one once per program (SecurityEvent in a DeviceTelemetry record).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "modules/collectors/proc/reader.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::proc {

enum class Rule : std::uint8_t {
    exe_deleted,
    exe_in_memory,
    exe_in_shared_memory,
    exe_in_temporary_folder,
    library_preload,
    tunables_of_setuid,
    shell_from_server,
    shell_on_socket,
    shell_without_terminal,
    privilege_gained,
    setuid_bit_set,
    traced,
    kernel_thread_name,
    random_name,
    kernel_module_load,
    container_on_host_mounts,
    host_namespaces_entered,
    capabilities_without_root,
    raw_socket,
    tool_in_container,
    coin_miner,
};
inline constexpr std::size_t rule_count = 21;

struct RuleInfo {
    std::string_view name, technique, severity;  // "T1620"; WARN ERROR CRITICAL
    float risk = 0;                              // 0..1, how seldom an honest program does it
    std::string_view what;                       // half a sentence
};
const RuleInfo& info_of(Rule rule);

// A process, and what it was before. `event` has its details.
struct Subject {
    const messaging::ProcessEvent& event;
    const Evidence& evidence;
    const messaging::ProcessEvent* before = nullptr;  // itself before, else its parent
    const messaging::ProcessEvent* parent = nullptr;
    const messaging::ProcessEvent* tracer = nullptr;
    bool executed = false;  // has just begun this program
};

struct Observation {
    Rule rule;
    std::string evidence;
};
std::vector<Observation> judge(const Subject& subject);

// "RULE GLOB" each: RULE is a rule's name or *, GLOB is compared with the program (exe) and the
// evidence. Text that is compared comes from processes: a name alone protects nothing.
class AllowList {
  public:
    static Result<AllowList> parse(std::span<const std::string> entries);
    bool allows(const Observation& observation, const messaging::ProcessEvent& event) const;

  private:
    struct Entry {
        std::string rule, glob;
    };
    std::vector<Entry> entries_;
};
Result<> check_allow(std::string_view entry);

// Appends the SECURITY event.
void add_security_event(const Observation& observation, const Subject& subject,
                        const std::string& asset, messaging::DeviceTelemetry& record);

}  // namespace amoskys::proc
