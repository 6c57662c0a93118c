// The emulated kernels (tests/Cuda/Emulator) as functions of the fake driver.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

struct Size3 { uint32_t x, y, z; };

struct Kernel
{
    std::string name;
    std::vector<uint32_t> sizes;  // of its parameters

    size_t offset(size_t index) const;
    void run(Size3 grid, Size3 threads, uint32_t shared, void** arguments) const;
};

// Null if there is none.
const Kernel* find_kernel(const char* name);

// What the tests ask.
struct Counters { long launches, graph_launches, compilations, searches; };
extern Counters fake_counters;
