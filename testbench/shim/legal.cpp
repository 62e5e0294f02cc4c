// Words in, one byte out for each: whether the package's function calls it legal. No checking here.
#include <cstdint>
#include <cstdio>

#include "Vfenn_isa_pkg_top.h"

int main() {
    Vfenn_isa_pkg_top top;
    uint32_t word;
    while (std::fread(&word, sizeof word, 1, stdin) == 1) {
        top.word_i = word;
        top.eval();
        std::putchar(top.legal_o);
    }
    return 0;
}
