// A card's pins and its clock. No checking here but that of the model's own assertions.
#pragma once

#include <cstdint>
#include <memory>

#include "rust/cxx.h"

namespace fenn {

struct SocInputs;
struct SocOutputs;

class SocModel {
public:
    virtual ~SocModel() = default;
    // Whether every assertion of the model has held so far; those that have not are on the standard output.
    virtual bool cycle(const SocInputs& inputs, SocOutputs& outputs) = 0;
};

std::unique_ptr<SocModel> make_soc(rust::Str name, std::uint32_t mutant);

}  // namespace fenn
