// The answers of the routes, one function each: parameters of the request to questions of the data
// source. Used by the table in routes.cc. Pure; any thread.
#pragma once

#include "modules/tools/dash/routes.h"

namespace amoskys::modules::dash {

Result<Json> health_answer(const Call& call);
Result<Json> session_answer(const Call& call);
Result<Json> openapi_answer(const Call& call);
Result<Json> stats_answer(const Call& call);
Result<Json> summary_answer(const Call& call);
Result<Json> agents_answer(const Call& call);
Result<Json> threats_answer(const Call& call);
Result<Json> threat_answer(const Call& call);
Result<Json> acknowledge_answer(const Call& call);
Result<Json> resolve_answer(const Call& call);
Result<Json> label_answer(const Call& call);
Result<Json> models_answer(const Call& call);
Result<Json> devices_answer(const Call& call);
Result<Json> device_answer(const Call& call);
Result<Json> series_answer(const Call& call);
Result<Json> events_answer(const Call& call);
Result<Json> processes_answer(const Call& call);
Result<Json> flows_answer(const Call& call);
Result<Json> timeline_answer(const Call& call);
Result<Json> gaps_answer(const Call& call);
Result<Json> envelope_answer(const Call& call);
Result<Json> proof_answer(const Call& call);
Result<Json> scores_answer(const Call& call);

}  // namespace amoskys::modules::dash
