// An agent in memory for the poll machine: a sorted set of objects, answered as RFC 3416 (or 1157)
// says, with faults on request.
#pragma once

#include <map>

#include "modules/collectors/snmp/poll.h"

namespace amoskys::snmp {

struct FakeAgent {
    std::map<Oid, Value> objects;
    bool v1 = false;
    std::size_t too_big_above = 0;       // varbinds of an answer; 0 = no limit
    std::size_t cut_at = 0;              // GETBULK answers end after so many varbinds; 0 = never
    std::map<Oid, ErrorStatus> refused;  // requests that name one of these
    std::size_t requests = 0;

    Response answer(const Request& request) {
        ++requests;
        Response response;
        for (std::size_t i = 0; i < request.oids.size(); ++i)
            if (const auto found = refused.find(request.oids[i]); found != refused.end())
                return {found->second, i + 1, {}};
        const std::size_t rows = request.operation == Operation::get_bulk ? request.repetitions : 1;
        std::vector<Oid> at = request.oids;
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t i = 0; i < at.size(); ++i) {
                Varbind varbind =
                    request.operation == Operation::get ? exact(at[i]) : following(at[i]);
                if (v1 && !has_value(varbind.value))
                    return {ErrorStatus::no_such_name, i + 1, {}};
                at[i] = varbind.oid;
                response.varbinds.push_back(std::move(varbind));
            }
        if (too_big_above != 0 && response.varbinds.size() > too_big_above)
            return {ErrorStatus::too_big, 0, {}};
        if (cut_at != 0 && response.varbinds.size() > cut_at)
            response.varbinds.resize(cut_at);
        return response;
    }

    Varbind exact(const Oid& oid) const {
        const auto found = objects.find(oid);
        return {oid, found == objects.end() ? Value{Type::no_such_instance, {}} : found->second};
    }
    Varbind following(const Oid& oid) const {
        const auto found = objects.upper_bound(oid);
        return found == objects.end() ? Varbind{oid, {Type::end_of_mib_view, {}}}
                                      : Varbind{found->first, found->second};
    }
};

inline Value integer(std::int64_t value) {
    return {Type::integer, value};
}
inline Value counter(std::uint64_t value) {
    return {Type::counter64, value};
}
inline Value octets(std::string text) {
    return {Type::octets, std::move(text)};
}

// A profile of two scalars and a table of three columns; OIDs 1.1.N.0 and 1.2.COLUMN.INDEX.
inline std::shared_ptr<const Profile> small_profile() {
    auto parsed = parse_profile(
        "profile: small\n"
        "scalars:\n"
        "  - {metric: name, oid: 1.1.1.0, type: text}\n"
        "  - {metric: load, oid: 1.1.2.0, type: gauge, unit: '1', read: number}\n"
        "tables:\n"
        "  - table: t\n"
        "    labels: [descr]\n"
        "    columns:\n"
        "      - {metric: descr, oid: 1.2.1, type: text}\n"
        "      - {metric: octets, oid: 1.2.2, type: counter, unit: bytes}\n"
        "      - {metric: used, oid: 1.2.3, type: gauge, unit: units, read: unsigned32}\n",
        "small.yaml");
    return std::make_shared<const Profile>(std::move(*parsed));
}

inline FakeAgent small_agent(std::uint32_t rows) {
    FakeAgent agent;
    agent.objects[{1, 1, 1, 0}] = octets("box");
    agent.objects[{1, 1, 2, 0}] = octets("0.39");
    for (std::uint32_t i = 1; i <= rows; ++i) {
        agent.objects[{1, 2, 1, i}] = octets("row " + std::to_string(i));
        agent.objects[{1, 2, 2, i}] = counter(i);
        agent.objects[{1, 2, 3, i}] = integer(i);
    }
    agent.objects[{1, 9, 0}] = integer(1);
    return agent;
}

// Runs a poll to its end; the agent answers everything.
inline std::size_t run(DevicePoll& poll, FakeAgent& agent) {
    std::size_t requests = 0;
    while (auto request = poll.next_request()) {
        poll.on_response(agent.answer(*request));
        ++requests;
    }
    return requests;
}

}  // namespace amoskys::snmp
