// The core's pins and its clock. No checking here.
#pragma once

#include <cstdint>
#include <memory>

#include "rust/cxx.h"

namespace fenn {

struct Inputs;
struct Outputs;

class Model {
public:
    virtual ~Model() = default;
    virtual void cycle(const Inputs& inputs, Outputs& outputs) = 0;
    virtual bool host_ready(const Inputs& inputs) = 0;
    virtual void open_wave(rust::Str path) = 0;
    virtual void close_wave() = 0;
    virtual void write_coverage(rust::Str path) = 0;
};

std::unique_ptr<Model> make(rust::Str name, std::uint32_t mutant);

}  // namespace fenn
