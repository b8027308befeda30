// Which rows a model may learn from, per device and by time, never shuffled: of the n windows of a
// device the first floor(n (1 - validation)) are for training; validation begins one window's
// length after the end of the last of them; what lies between is the embargo and in neither, so
// that no sample and no trend across the border is in both.
#pragma once

#include "core/module/extractor.h"
#include "modules/transformation/etl/part.h"

namespace amoskys::etl {

// Of one device.
struct DeviceSplit {
    UnixNanos train_until_ns = 0;    // training windows end by then
    UnixNanos validate_from_ns = 0;  // those of validation start then or later
    Part part_of(const module::Window& window) const {
        if (window.end_ns <= train_until_ns)
            return Part::train;
        return window.start_ns >= validate_from_ns ? Part::validation : Part::embargo;
    }
};

}  // namespace amoskys::etl
