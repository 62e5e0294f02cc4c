// Ports of any width, as 32-bit words.
#pragma once

#include <array>
#include <cstdint>

#include "verilated.h"

namespace fenn {

// Ports of up to 32 bits, of 64, and wider ones have three types.
using Words = std::array<std::uint32_t, 16>;

inline void set(IData& port, const Words& words) { port = words[0]; }
inline void set(QData& port, const Words& words) { port = words[0] | QData{words[1]} << 32; }
template <std::size_t N>
void set(VlWide<N>& port, const Words& words) {
    for (std::size_t i = 0; i < N; ++i) port[i] = words[i];
}

inline void get(Words& words, const IData& port) { words[0] = port; }
inline void get(Words& words, const QData& port) {
    words[0] = static_cast<std::uint32_t>(port);
    words[1] = static_cast<std::uint32_t>(port >> 32);
}
template <std::size_t N>
void get(Words& words, const VlWide<N>& port) {
    for (std::size_t i = 0; i < N; ++i) words[i] = port[i];
}

}  // namespace fenn
