#include "modules/transformation/calendar/calendar.h"

namespace amoskys::calendar {

const std::array<module::FeatureForm, feature_count> catalogue{{
    {"hour", "h", "hour in which the window begins, 0 to 23, in etl.time_zone"},
    {"day_of_week", "1", "day on which it begins, Monday = 0"},
    {"is_weekend", "1", "1 on Saturday and Sunday, else 0"},
    {"is_business_hours", "1", "1 from 9:00 to 17:59 of Monday to Friday, else 0"},
}};

namespace {

class Calendar final : public module::Extractor {
  public:
    Calendar(module::ColumnTable& columns, const module::ExtractorSettings& settings)
        : zone_(settings.time_zone), first_(columns.add_all(catalogue, "", "calendar")) {}

    void extract(const module::Window& window, module::FeatureRow& row) override {
        const Moment moment = moment_of(window.start_ns, zone_);
        double* out = row.block(first_, feature_count);
        out[0] = moment.hour;
        out[1] = moment.day_of_week;
        out[2] = moment.is_weekend() ? 1 : 0;
        out[3] = moment.is_business_hours() ? 1 : 0;
    }

  private:
    TimeZone zone_;
    module::ColumnId first_;
};

}  // namespace

Moment moment_of(UnixNanos time_ns, const TimeZone& zone) {
    constexpr std::int64_t hour_s = 3600, day_s = 86400, first_day = 3;  // 1970 began on a Thursday
    // A week more keeps the sum above 0 and the day of the week as it is.
    const std::int64_t local = static_cast<std::int64_t>(time_ns / 1'000'000'000) +
                               zone.offset_seconds(time_ns) + 7 * day_s;
    return {static_cast<unsigned>(local % day_s / hour_s),
            static_cast<unsigned>((local / day_s + first_day) % 7)};
}

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& settings) {
    return std::make_unique<Calendar>(columns, settings);
}

}  // namespace amoskys::calendar
