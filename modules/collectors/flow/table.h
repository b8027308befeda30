// All tracked flows: an index with open addressing over an array of flows, and a wheel of seconds
// that says when each is to be looked at again. Bounded: max_flows, whose address space is taken at
// once and whose memory as flows come, in huge pages where the kernel has them: packets go to flows
// all over the table. No clock: driven by packet times. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "modules/collectors/flow/flow.h"

namespace amoskys::flow {

class FlowTable {
  public:
    explicit FlowTable(std::size_t max_flows);

    // no_flow where there is none.
    std::uint32_t find(const FlowKey& key, std::uint64_t hash) const;
    // A new, empty flow with this key; the table must not be full. References to flows stay valid.
    std::uint32_t insert(const FlowKey& key, std::uint64_t hash);
    void erase(std::uint32_t index);
    Flow& at(std::uint32_t index) { return flows_.get()[index]; }
    const Flow& at(std::uint32_t index) const { return flows_.get()[index]; }
    std::size_t size() const { return size_; }
    bool full() const { return size_ == max_flows_; }
    std::size_t slots() const { return used_; }  // indexes below this exist or existed
    bool in_use(std::uint32_t index) const { return at(index).key.version != 0; }
    std::size_t memory_bytes() const;

    // Puts the flow on the wheel, or moves it there: looked at in the second after due_ns, or
    // earlier where that is far away.
    void schedule(std::uint32_t index, UnixNanos due_ns);
    // The next flow whose second has come, taken off the wheel; no_flow when there is none up to
    // now_ns.
    std::uint32_t next_due(UnixNanos now_ns);

    // For packets that come soon: first the place in the index, later what find() and the packet
    // will touch of the flow that is probably the one.
    void prefetch_index(std::uint64_t hash) const { __builtin_prefetch(&index_[hash & mask_]); }
    void prefetch_flow(std::uint64_t hash) const;

    // Bytes that a flow costs with its share of the index.
    static constexpr std::size_t bytes_per_flow = sizeof(Flow) + 16;

  private:
    static constexpr std::size_t wheel_slots = 512;
    static constexpr std::uint16_t not_on_wheel = 0xffff;
    struct Unmap {
        std::size_t bytes;
        void operator()(Flow* flows) const;
    };
    struct Entry {
        std::uint32_t hash = 0;
        std::uint32_t flow = no_flow;
    };
    void grow_index();
    void unlink(std::uint32_t index);
    void put(std::uint32_t hash, std::uint32_t index);

    std::size_t max_flows_;
    std::unique_ptr<Flow, Unmap> flows_;
    std::vector<Entry> index_;
    std::uint64_t mask_ = 0;
    std::size_t size_ = 0, used_ = 0;
    std::uint32_t free_ = no_flow;
    std::array<std::uint32_t, wheel_slots> wheel_;
    std::uint64_t second_ = 0;  // up to this one the wheel has been emptied
    bool wheel_began_ = false;
};
static_assert(FlowTable::bytes_per_flow <= max_flow_bytes);

}  // namespace amoskys::flow
