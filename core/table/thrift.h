// Thrift's compact protocol, as far as the headers of Parquet need it: writing structs of integers,
// texts, lists and structs. Not thread-safe.
//
//   field     (id - last id) << 4 | type; where that is not 1..15: type, zigzag varint of the id
//   integer   zigzag varint              text    varint length, bytes
//   boolean   the type itself: 1 or 2    struct  its fields, 0
//   list      size << 4 | type; from 15 on: 0xf0 | type, varint size; then the elements
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace amoskys::table {

void append_varint(std::string& out, std::uint64_t value);

class ThriftWriter {
  public:
    enum ElementType : std::uint8_t { i32_elements = 5, text_elements = 8, struct_elements = 12 };

    // Begins a struct without a name: the outermost one, or the element of a list.
    explicit ThriftWriter(std::string& out) : out_(out) {}

    void integer32(int id, std::int32_t value);
    void integer64(int id, std::int64_t value);
    void boolean(int id, bool value);
    void text(int id, std::string_view value);
    void begin_struct(int id);
    void empty_struct(int id) {
        begin_struct(id);
        end_struct();
    }
    void end_struct();  // also of an element and of the outermost one

    // `size` elements follow.
    void begin_list(int id, ElementType type, std::size_t size);
    void element32(std::int32_t value);
    void element(std::string_view text);
    void begin_element() { last_ids_.push_back(0); }  // of structs

  private:
    void field(int id, std::uint8_t type);

    std::string& out_;
    std::vector<int> last_ids_ = {0};  // of the open structs
};

}  // namespace amoskys::table
