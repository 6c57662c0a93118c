#include "kernels.h"
#include "fake.h"
#include <atomic>
#include <memory>

extern "C" int hearth_has(const char* name);
extern "C" int hearth_parameters(const char* name, uint32_t* sizes, int most);
extern "C" int hearth_launch(const char* name, const uint32_t* grid, const uint32_t* threads, uint32_t shared, void** arguments,
    unsigned long long seed, char* error, int error_length);

Counters fake_counters;

EXPORT long fake_launches() { return fake_counters.launches; }
EXPORT long fake_graph_launches() { return fake_counters.graph_launches; }
EXPORT long fake_searches() { return fake_counters.searches; }
EXPORT long fake_compilations() { return fake_counters.compilations; }

size_t Kernel::offset(size_t index) const
{
    size_t at = 0;
    for (size_t i = 0; i <= index; i++) {
        at = (at + sizes[i] - 1) / sizes[i] * sizes[i];
        if (i < index)
            at += sizes[i];
    }
    return at;
}

void Kernel::run(Size3 grid, Size3 threads, uint32_t shared, void** arguments) const
{
    char error[1024];
    // FAKE_CUDA_SEED: another order of the threads at every launch.
    static const char* seed = getenv("FAKE_CUDA_SEED");
    fake_counters.launches++;
    auto order = seed ? (unsigned long long)(atol(seed) + fake_counters.launches) : 0;
    if (hearth_launch(name.c_str(), &grid.x, &threads.x, shared, arguments, order, error, sizeof error) != 0)
        fake::fail("%s", error);
}

const Kernel* find_kernel(const char* name)
{
    std::lock_guard<std::recursive_mutex> lock(fake::gate);
    static std::map<std::string, std::unique_ptr<Kernel>> found;
    if (!hearth_has(name))
        return nullptr;
    auto& kernel = found[name];
    if (!kernel) {
        uint32_t sizes[64];
        int count = hearth_parameters(name, sizes, 64);
        kernel = std::make_unique<Kernel>(Kernel{name, {sizes, sizes + count}});
    }
    return kernel.get();
}
