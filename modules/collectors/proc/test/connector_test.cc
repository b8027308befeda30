#include "modules/collectors/proc/connector.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::proc;
using Kind = LifeCycleEvent::Kind;

namespace {

// As recorded on Linux 6.18, x86-64: the answer to LISTEN, a fork, an exec, an exit, and the forks
// of two kernel threads.
constexpr std::string_view recorded[] = {
    "4c0000000300000000000000000000000100000001000000000000000100000028000000000000000000000057377b"
    "c0230b0000000000000000000000000000000000000000000000000000",
    "4c00000003000000010000000000000001000000010000000100000000000000280000000100000000000000"
    "8ac583c0230b00001c2100001c21000045210000452100000000000000000000",
    "4c00000003000000020000000000000001000000010000000200000000000000280000000200000000000000"
    "865fafc0230b0000452100004521000000000000000000000000000000000000",
    "4c00000003000000030000000000000001000000010000000300000000000000280000000000008000000000"
    "4d72b6c0230b0000452100004521000000000000110000001c2100001c210000",
    "4c00000003000000040000000000000001000000010000000400000000000000280000000100000000000000"
    "4d1bdfd4230b00003c0000000100000046210000931500000000000000000000",
};

Bytes bytes_of(std::string_view hex) {
    Bytes out;
    REQUIRE(from_hex(hex, out));
    return out;
}

void put(Bytes& message, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
        message.at(at + i) = static_cast<std::uint8_t>(value >> (8 * i));
}

constexpr std::size_t sequence_at = 24, what_at = 36, cpu_at = 40, data_at = 52;

// The recorded fork with another sequence and CPU.
Bytes numbered(std::uint32_t sequence, std::uint32_t cpu) {
    auto out = bytes_of(recorded[1]);
    put(out, sequence_at, sequence);
    put(out, cpu_at, cpu);
    return out;
}

}  // namespace

TEST_CASE("recorded messages are a fork, an exec and an exit of one process") {
    ConnectorDecoder decoder;
    std::vector<LifeCycleEvent> events;
    decoder.decode(bytes_of(recorded[0]), events);
    CHECK(events.empty());
    CHECK(decoder.take_answer() == 0U);
    CHECK_FALSE(decoder.take_answer());
    for (std::size_t i = 1; i < 4; ++i)
        decoder.decode(bytes_of(recorded[i]), events);
    REQUIRE(events.size() == 3);
    CHECK(events[0].kind == Kind::fork);
    CHECK(events[0].pid == 0x2145);
    CHECK(events[0].other == 0x211c);
    CHECK(events[0].time_ns == 0x0b23c083c58aU);
    CHECK(events[1].kind == Kind::exec);
    CHECK(events[1].pid == 0x2145);
    CHECK(events[2].kind == Kind::exit);
    CHECK(events[2].pid == 0x2145);
    CHECK(events[2].status == 0);
    CHECK(decoder.counts().received == 3);
    CHECK(decoder.counts().lost == 0);
    CHECK(decoder.counts().malformed == 0);
}

TEST_CASE("threads begin and end without an event and are counted as received") {
    ConnectorDecoder decoder;
    std::vector<LifeCycleEvent> events;
    decoder.decode(bytes_of(recorded[4]), events);  // child_pid is not child_tgid
    auto exit = bytes_of(recorded[3]);
    put(exit, sequence_at, 5);
    put(exit, data_at, 0x2146);  // of thread 0x2146 in process 0x2145
    decoder.decode(exit, events);
    CHECK(events.empty());
    CHECK(decoder.counts().received == 2);
}

TEST_CASE("changes of user and debuggers are told") {
    ConnectorDecoder decoder;
    std::vector<LifeCycleEvent> events;
    auto message = numbered(1, 0);
    put(message, what_at, 4);
    put(message, data_at + 8, 1000);
    put(message, data_at + 12, 0);
    decoder.decode(message, events);
    message = numbered(2, 0);
    put(message, what_at, 0x100);
    put(message, data_at + 12, 99);
    decoder.decode(message, events);
    message = numbered(3, 0);
    put(message, what_at, 0x200);  // a new name
    decoder.decode(message, events);
    REQUIRE(events.size() == 2);
    CHECK(events[0].kind == Kind::ids);
    CHECK(events[0].uid == 1000);
    CHECK(events[0].euid == 0);
    CHECK(events[1].kind == Kind::ptrace);
    CHECK(events[1].other == 99);
}

TEST_CASE("gaps in the numbers of each CPU are lost messages") {
    ConnectorDecoder decoder;
    std::vector<LifeCycleEvent> events;
    const auto take = [&](std::uint32_t sequence, std::uint32_t cpu) {
        decoder.decode(numbered(sequence, cpu), events);
        return decoder.counts().lost;
    };
    CHECK(take(10, 0) == 0);
    CHECK(take(500, 1) == 0);
    CHECK(take(11, 0) == 0);
    CHECK(take(15, 0) == 3);
    CHECK(take(501, 1) == 3);
    CHECK(take(503, 1) == 4);
    CHECK(take(0xffffffffU, 2) == 4);
    CHECK(take(0, 2) == 4);                           // around
    CHECK(take(7, 1) == 4);                           // counts anew
    CHECK(take(1, ConnectorDecoder::max_cpus) == 4);  // no such CPU
    CHECK(take(9, ConnectorDecoder::max_cpus) == 4);
}

TEST_CASE("the answer to another listener is a number of the row, and not our answer") {
    ConnectorDecoder decoder(4711);
    std::vector<LifeCycleEvent> events;
    decoder.decode(numbered(10, 0), events);
    auto answer = bytes_of(recorded[0]);
    put(answer, sequence_at, 11);
    decoder.decode(answer, events);
    CHECK_FALSE(decoder.take_answer());
    decoder.decode(numbered(12, 0), events);
    CHECK(decoder.counts().lost == 0);
    CHECK(decoder.counts().received == 2);
    put(answer, sequence_at, 13);
    put(answer, sequence_at + 4, 4712);
    decoder.decode(answer, events);
    CHECK(decoder.take_answer() == 0U);
}

TEST_CASE("several messages in one datagram are all read") {
    ConnectorDecoder decoder;
    std::vector<LifeCycleEvent> events;
    Bytes both = numbered(1, 0);
    const auto second = numbered(2, 0);
    both.insert(both.end(), second.begin(), second.end());
    decoder.decode(both, events);
    CHECK(events.size() == 2);
}

TEST_CASE("what is cut short or of somebody else is counted as malformed and read no further") {
    const auto whole = numbered(1, 0);
    for (std::size_t size = 1; size < whole.size(); ++size) {
        ConnectorDecoder decoder;
        std::vector<LifeCycleEvent> events;
        decoder.decode(ByteView(whole).first(size), events);
        CHECK(events.empty());
        CHECK(decoder.counts().malformed == 1);
    }
    for (const std::size_t at : {std::size_t{4}, std::size_t{16}, std::size_t{20}}) {
        auto other = whole;
        other[at] = 9;
        ConnectorDecoder decoder;
        std::vector<LifeCycleEvent> events;
        decoder.decode(other, events);
        CHECK(events.empty());
        CHECK(decoder.counts().malformed == 1);
    }
    ConnectorDecoder decoder;
    std::vector<LifeCycleEvent> events;
    auto endless = whole;
    put(endless, 0, 0);  // a length that would never get further
    decoder.decode(endless, events);
    CHECK(events.empty());
}

TEST_CASE("the kernel tells of a child of this test") {
    auto source = open_connector(1U << 20U);
    if (!source) {
        WARN("no process events here: " << source.error().message);
        return;
    }
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(7);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    std::vector<LifeCycleEvent> events;
    bool forked = false, ended = false;
    pollfd ready{(*source)->descriptor(), POLLIN, 0};
    while (!ended && ::poll(&ready, 1, 5000) > 0) {
        events.clear();
        REQUIRE((*source)->receive(events).has_value());
        for (const auto& event : events) {
            if (event.pid != static_cast<std::uint32_t>(child))
                continue;
            forked = forked || (event.kind == Kind::fork &&
                                event.other == static_cast<std::uint32_t>(::getpid()));
            ended = ended || (event.kind == Kind::exit &&
                              event.status == static_cast<std::uint32_t>(status));
        }
    }
    CHECK(forked);
    CHECK(ended);
}
