#include "core/link/trust_journal.h"

#include "core/link/test/bus_fixture.h"
#include "proto/universal_telemetry.pb.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;

namespace {

std::vector<messaging::AuditEvent> audits(const TrustJournal::Changes& changes) {
    std::vector<messaging::AuditEvent> out;
    for (const auto& record : changes.records) {
        messaging::DeviceTelemetry telemetry;
        REQUIRE(telemetry.ParseFromString(record.stored));
        out.push_back(telemetry.events(0).audit_event());
    }
    return out;
}

}  // namespace

TEST_CASE("the first trust map of a log makes no audit records, each later change one") {
    Bus bus;
    TrustJournal journal;
    REQUIRE(journal.load(*bus.log).has_value());
    const auto first = journal.changes(*bus.state->trust, 1);
    CHECK(first.records.empty());
    REQUIRE(first.states.size() == 1);
    CHECK(first.states[0].key == "trust/edge-1");
    journal.recorded(first.states);
    CHECK(journal.changes(*bus.state->trust, 1).states.empty());

    bus.set_trust(", revoked: true");
    const auto revoked = journal.changes(*bus.state->trust, 2);
    const auto told = audits(revoked);
    REQUIRE(told.size() == 1);
    CHECK(told[0].action_performed() == "revoked");
    CHECK(told[0].object_id() == "edge-1");
    CHECK(told[0].before_value().starts_with("keys "));
    CHECK(told[0].after_value().starts_with("revoked; keys "));
    journal.recorded(revoked.states);
    bus.set_trust(", rate_limit: 5");
    CHECK(audits(journal.changes(*bus.state->trust, 3)).at(0).action_performed() == "changed");

    const auto empty = crypto::TrustMap::parse("agents: {}\n", bus.folder.path, "trust.yaml");
    REQUIRE(empty.has_value());
    const auto gone = journal.changes(**empty, 4);
    CHECK(audits(gone).at(0).action_performed() == "removed");
    journal.recorded(gone.states);
    CHECK(audits(journal.changes(*bus.state->trust, 5)).at(0).action_performed() == "added");
}

TEST_CASE("an accepted reset is honoured once") {
    Bus bus;
    TrustJournal journal;
    bus.set_trust(", accepted_resets: {snmp: 2026-01-01T00:00:00Z}");
    const auto changes = journal.changes(*bus.state->trust, 1);
    REQUIRE(changes.resets.size() == 1);
    CHECK(changes.resets[0].lane == LaneKey{"edge-1", "snmp"});
    journal.recorded({TrustJournal::honoured_state(changes.resets[0])});
    CHECK(journal.changes(*bus.state->trust, 1).resets.empty());
    bus.set_trust(", accepted_resets: {snmp: 2026-01-02T00:00:00Z}");
    CHECK(journal.changes(*bus.state->trust, 1).resets.size() == 1);
}
