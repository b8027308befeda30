// protobuf writes a line to stderr for each text that is not UTF-8 and each message that does not
// parse: a peer could fill the log with it. What is refused is counted and reported by our own
// code.
#pragma once

namespace amoskys::wire {

// For the whole process; called before bytes from outside are parsed. Thread-safe.
void silence_protobuf();

}  // namespace amoskys::wire
