#include "modules/collectors/flow/table.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>

#include "core/base/check.h"

namespace amoskys::flow {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::size_t first_index = 1024;
constexpr std::size_t huge_page = 2U << 20U;

std::size_t whole_pages(std::size_t bytes) {
    return (bytes + huge_page - 1) / huge_page * huge_page;
}

}  // namespace

FlowTable::FlowTable(std::size_t max_flows)
    : max_flows_(std::clamp<std::size_t>(max_flows, 1, no_flow - 1)),
      index_(first_index),
      mask_(first_index - 1) {
    const std::size_t bytes = whole_pages(max_flows_ * sizeof(Flow));
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(memory != MAP_FAILED, "flow table: the system gives the address space");
    ::madvise(memory, bytes, MADV_HUGEPAGE);  // refused where the kernel has none: slower
    flows_ = {static_cast<Flow*>(memory), Unmap{bytes}};
    wheel_.fill(no_flow);
}

void FlowTable::Unmap::operator()(Flow* flows) const {
    ::munmap(flows, bytes);
}

std::size_t FlowTable::memory_bytes() const {
    return whole_pages(used_ * sizeof(Flow)) + index_.size() * sizeof(Entry);
}

std::uint32_t FlowTable::find(const FlowKey& key, std::uint64_t hash) const {
    const auto tag = static_cast<std::uint32_t>(hash);
    for (std::uint64_t at = hash & mask_;; at = (at + 1) & mask_) {
        const Entry& entry = index_[at];
        if (entry.flow == no_flow)
            return no_flow;
        if (entry.hash == tag && this->at(entry.flow).key == key)
            return entry.flow;
    }
}

void FlowTable::prefetch_flow(std::uint64_t hash) const {
    const auto tag = static_cast<std::uint32_t>(hash);
    for (std::uint64_t at = hash & mask_; index_[at].flow != no_flow; at = (at + 1) & mask_) {
        if (index_[at].hash != tag)
            continue;
        const Flow& flow = this->at(index_[at].flow);
        __builtin_prefetch(&flow);
        __builtin_prefetch(&flow.side[0]);
        __builtin_prefetch(&flow.side[1]);
        return;
    }
}

void FlowTable::put(std::uint32_t hash, std::uint32_t index) {
    std::uint64_t at = hash & mask_;
    while (index_[at].flow != no_flow)
        at = (at + 1) & mask_;
    index_[at] = {hash, index};
}

void FlowTable::grow_index() {
    std::vector<Entry> old(index_.size() * 2);
    old.swap(index_);
    mask_ = index_.size() - 1;
    for (const Entry& entry : old)
        if (entry.flow != no_flow)
            put(entry.hash, entry.flow);
}

std::uint32_t FlowTable::insert(const FlowKey& key, std::uint64_t hash) {
    check(!full(), "flow table: insert into a full table");
    std::uint32_t index = free_;
    if (index != no_flow) {
        free_ = at(index).wheel_next;
    } else {
        index = static_cast<std::uint32_t>(used_++);
    }
    Flow& flow = *std::construct_at(&at(index));
    flow.key = key;
    flow.hash = static_cast<std::uint32_t>(hash);
    flow.wheel_slot = not_on_wheel;
    ++size_;
    if (size_ * 4 > index_.size() * 3)
        grow_index();
    put(flow.hash, index);
    return index;
}

void FlowTable::erase(std::uint32_t index) {
    Flow& flow = at(index);
    unlink(index);
    std::uint64_t hole = flow.hash & mask_;
    while (index_[hole].flow != index)
        hole = (hole + 1) & mask_;
    // Entries behind the hole move up where their own place allows it.
    for (std::uint64_t next = (hole + 1) & mask_; index_[next].flow != no_flow;
         next = (next + 1) & mask_) {
        const std::uint64_t home = index_[next].hash & mask_;
        if (((next - home) & mask_) >= ((next - hole) & mask_)) {
            index_[hole] = index_[next];
            hole = next;
        }
    }
    index_[hole] = {};
    flow.key.version = 0;
    flow.wheel_next = free_;
    free_ = index;
    --size_;
}

void FlowTable::unlink(std::uint32_t index) {
    Flow& flow = at(index);
    if (flow.wheel_slot == not_on_wheel)
        return;
    if (flow.wheel_previous != no_flow)
        at(flow.wheel_previous).wheel_next = flow.wheel_next;
    else
        wheel_[flow.wheel_slot] = flow.wheel_next;
    if (flow.wheel_next != no_flow)
        at(flow.wheel_next).wheel_previous = flow.wheel_previous;
    flow.wheel_slot = not_on_wheel;
    flow.wheel_next = flow.wheel_previous = no_flow;
}

void FlowTable::schedule(std::uint32_t index, UnixNanos due_ns) {
    const std::uint64_t wanted = due_ns / second_ns + 1;
    const std::uint64_t when =
        std::clamp<std::uint64_t>(wanted, second_ + 1, second_ + wheel_slots - 1);
    const auto slot = static_cast<std::uint16_t>(when % wheel_slots);
    Flow& flow = at(index);
    if (flow.wheel_slot == slot)
        return;
    unlink(index);
    flow.wheel_slot = slot;
    flow.wheel_previous = no_flow;
    flow.wheel_next = wheel_[slot];
    if (flow.wheel_next != no_flow)
        at(flow.wheel_next).wheel_previous = index;
    wheel_[slot] = index;
}

std::uint32_t FlowTable::next_due(UnixNanos now_ns) {
    const std::uint64_t now = now_ns / second_ns;
    if (!wheel_began_) {
        wheel_began_ = true;
        second_ = now;
    }
    if (now > second_ + wheel_slots)  // a long silence: one round looks at everything
        second_ = now - wheel_slots;
    while (second_ < now) {
        const std::uint32_t index = wheel_[(second_ + 1) % wheel_slots];
        if (index != no_flow) {
            unlink(index);
            return index;
        }
        ++second_;
    }
    return no_flow;
}

}  // namespace amoskys::flow
