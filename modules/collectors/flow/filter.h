// A filter expression of pcap-filter(7), compiled for each link type that comes. Belongs to one
// thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "modules/collectors/flow/trace_parser.h"

struct bpf_program;

namespace amoskys::flow {

class Filter {
  public:
    // Checks the expression, for Ethernet. usage "flow_bad_filter".
    static Result<Filter> make(const std::string& expression);
    // True for all frames where the expression is empty.
    Result<bool> matches(const Frame& frame);
    bool empty() const { return expression_.empty(); }

  private:
    struct Program;
    Result<Program*> program_for(LinkType link);

    std::string expression_;
    std::map<LinkType, std::shared_ptr<Program>> programs_;
};

Error bad_filter(const std::string& expression, const std::string& why);

}  // namespace amoskys::flow
