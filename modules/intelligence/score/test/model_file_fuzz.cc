// Any bytes as the inside of a model file, with the right checksum before them: refused, or a model
// that scores. (The bytes as a whole file would stop at the checksum.)
#include <cmath>
#include <cstdlib>

#include "core/crypto/hash.h"
#include "core/wire/proto_cursor.h"
#include "modules/intelligence/score/report.h"
#include "modules/intelligence/score/test/plain_model.h"

using namespace amoskys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Digest digest = crypto::sha256({data, size});
    std::string file = "\x08\x01";
    const auto put = [&file](std::uint32_t field, ByteView bytes) {
        wire::put_tag(file, field, wire::WireType::bytes);
        wire::put_varint(file, bytes.size());
        file += as_text(bytes);
    };
    put(2, {digest.data(), digest.size()});
    put(3, {data, size});
    const auto model = score::decode_model(score::test::known_kinds, as_bytes(file), "fuzz");
    if (!model)
        return 0;
    module::FeatureTable table{model->columns, {}, {}};
    for (const double value : {0.0, -1e300, 1e300})
        table.values.insert(table.values.end(), table.columns.size(), value);
    for (const score::Finding& finding : score::findings_of(*model, table))
        if (!(finding.fused.severity >= 0))
            std::abort();
    model->spread.drift(table);
    return 0;
}
