// Runs a grid block by block, a block as fibers of this thread. Finds: reads and writes outside of allocations (they end at pages
// that may not be touched, and hold poison at first), unaligned vectors, barriers that not all threads reach, whole-warp
// instructions that not all lanes reach, and, by running with other seeds (another order of threads, copies done early or late),
// missing barriers and waits.
#include "../../../src/Cuda/Kernels/prelude.cuh"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <sys/mman.h>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Saves what a function must keep on the stack, leaves its address in *from and goes on at `to`.
extern "C" void emulator_switch(void** from, void* to);
#if !defined(__x86_64__)
#error "the emulator switches fibers on x86-64 only"
#endif
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

namespace emulator {

thread_local Index3 thread_index, block_index, block_size, grid_size;

namespace {

constexpr size_t page = 4096;
constexpr size_t stack_bytes = 128 << 10;
constexpr size_t shared_max = 227 << 10;
constexpr u8 poison = 0xff;  // NaN in every floating type

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

struct Kernel
{
    int threads;
    void (*call)(void**);
    std::vector<u32> sizes;
};

std::map<std::string, Kernel>& kernels()
{
    static std::map<std::string, Kernel> all;
    return all;
}

struct Copy
{
    u32 shared;
    const void* global;
    int bytes;
};

enum class Waits { Nothing, Barrier, Named, Warp, Group, Done };

struct Fiber
{
    void* stack_pointer;
    u8* stack;
    Waits waits;
    int barrier_id;
    std::vector<std::vector<Copy>> copies;  // groups, the last one open
};

struct Warp
{
    void* operands[32];
    int arrived;
    void (*compute)(void**);
    const char* what;
};

struct Group  // of four warps
{
    int arrived;
    GroupProduct product;
    std::vector<GroupProduct> pending;
    bool begun;
};

struct Block
{
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    std::vector<Group> groups;
    std::map<std::string, size_t> objects;
    size_t objects_end, dynamic_start, dynamic_bytes;
    u8* shared = nullptr;
    void* scheduler;
    int current;
    int named[16][2];  // arrived, expected
    bool late;  // random orders, and copies as late as may be
    const Kernel* kernel;
    void** arguments;
    std::minstd_rand random;
    bool running = false;
    sigjmp_buf on_error;
    std::string error;

    ~Block()
    {
        for (auto& fiber : fibers)
            munmap(fiber.stack, stack_bytes);
        if (shared)
            munmap(shared, shared_size());
    }

    static size_t shared_size() { return round_up(shared_max, page) + 2 * page; }

    u8* shared_begin() { return shared + page; }

    void prepare(int threads)
    {
        if (!shared) {
            shared = (u8*)mmap(nullptr, shared_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            mprotect(shared + page, shared_size() - 2 * page, PROT_READ | PROT_WRITE);
        }
        while ((int)fibers.size() < threads) {
            Fiber fiber{};
            fiber.stack = (u8*)mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            mprotect(fiber.stack, page, PROT_NONE);
            fibers.push_back(std::move(fiber));
        }
        warps.resize((size_t)threads / 32);
    }
};

thread_local Block block;

int threads_of_block() { return block_size.x * block_size.y * block_size.z; }

void yield() { emulator_switch(&block.fibers[(size_t)block.current].stack_pointer, block.scheduler); }

void run_thread()
{
    block.kernel->call(block.arguments);
    block.fibers[(size_t)block.current].waits = Waits::Done;
    yield();
    abort();
}

void start_fiber(Fiber& fiber)
{
    auto top = (void**)(fiber.stack + stack_bytes);
    *--top = nullptr;                 // keeps the stack on 16 bytes as a call would leave it
    *--top = (void*)run_thread;       // where the switch returns to
    for (int i = 0; i < 6; i++)
        *--top = nullptr;             // the kept registers
    fiber.stack_pointer = top;
    fiber.waits = Waits::Nothing;
    fiber.copies.assign(1, {});
}

void resume(int thread)
{
    block.current = thread;
    thread_index = Index3{thread % block_size.x, thread / block_size.x % block_size.y, thread / block_size.x / block_size.y};
    emulator_switch(&block.scheduler, block.fibers[(size_t)thread].stack_pointer);
}

void perform(const Copy& copy)
{
    auto place = (u8*)shared_place(copy.shared, 16, 16, "copy_async");
    memcpy(place, copy.global, (size_t)copy.bytes);
    memset(place + copy.bytes, 0, 16 - (size_t)copy.bytes);
}

// Lets all threads that can run go on until they wait; true if all have come to the block's barrier or to the end.
void release_barriers()
{
    int threads = threads_of_block(), waiting = 0, done = 0;
    for (int i = 0; i < threads; i++) {
        waiting += block.fibers[(size_t)i].waits == Waits::Barrier;
        done += block.fibers[(size_t)i].waits == Waits::Done;
    }
    if (waiting == threads) {
        for (int i = 0; i < threads; i++)
            block.fibers[(size_t)i].waits = Waits::Nothing;
        return;
    }
    for (int i = 0; i < threads; i++) {
        auto& fiber = block.fibers[(size_t)i];
        if (fiber.waits == Waits::Warp) {
            auto& warp = block.warps[(size_t)i / 32];
            block.current = i;
            fail("thread %d waits in %s for %d more lanes of its warp", i, warp.what, 32 - warp.arrived);
        }
        if (fiber.waits == Waits::Group)
            fail("thread %d waits for %d more threads of its warpgroup", i, 128 - block.groups[(size_t)i / 128].arrived);
        if (fiber.waits == Waits::Named)
            fail("thread %d waits at barrier %d, where %d of %d came", i, fiber.barrier_id, block.named[fiber.barrier_id][0],
                block.named[fiber.barrier_id][1]);
    }
    fail("%d threads wait at the block's barrier, %d have ended", waiting, done);
}

void run_block()
{
    int threads = threads_of_block(), warps = threads / 32;
    memset(block.shared_begin(), poison, shared_max);
    block.objects.clear();
    block.objects_end = 0;
    block.warps.assign((size_t)warps, {});
    block.groups.assign((size_t)threads / 128 + 1, {});
    memset(block.named, 0, sizeof block.named);
    for (int i = 0; i < threads; i++)
        start_fiber(block.fibers[(size_t)i]);
    std::vector<int> order((size_t)warps);
    for (int i = 0; i < warps; i++)
        order[(size_t)i] = i;
    u32 lane_mask = 0;
    for (bool all_done = false; !all_done;) {
        if (block.late) {
            std::shuffle(order.begin(), order.end(), block.random);
            lane_mask = block.random() >> 8 & 31;
        }
        bool progress = false;
        all_done = true;
        for (int i : order) {
            for (int lane = 0; lane < 32; lane++) {
                auto thread = i * 32 + (lane ^ (int)lane_mask);
                auto& fiber = block.fibers[(size_t)thread];
                if (fiber.waits == Waits::Nothing) {
                    resume(thread);
                    progress = true;
                }
                all_done &= fiber.waits == Waits::Done;
            }
        }
        if (!progress && !all_done)
            release_barriers();
    }
    for (size_t i = block.objects_end; i < block.dynamic_start; i++)
        if (block.shared_begin()[i] != poison)
            fail("shared memory was written at %zu, between its objects", i);
}

}  // namespace

Registration::Registration(const char* name, int threads, void (*call)(void**), std::vector<u32> sizes)
{
    kernels()[name] = Kernel{threads, call, std::move(sizes)};
}

void fail(const char* format, ...)
{
    char text[512], place[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    snprintf(place, sizeof place, "block (%d, %d, %d) thread %d: ", block_index.x, block_index.y, block_index.z, block.current);
    block.error = std::string(place) + text;
    siglongjmp(block.on_error, 1);
}

void barrier()
{
    block.fibers[(size_t)block.current].waits = Waits::Barrier;
    yield();
}

void named_barrier(int id, int threads)
{
    auto& state = block.named[id];
    if (state[0] > 0 && state[1] != threads)
        fail("barrier %d is for %d threads here and for %d elsewhere", id, threads, state[1]);
    state[1] = threads;
    if (++state[0] == threads) {
        state[0] = 0;
        for (auto& fiber : block.fibers)
            if (fiber.waits == Waits::Named && fiber.barrier_id == id)
                fiber.waits = Waits::Nothing;
        return;
    }
    auto& fiber = block.fibers[(size_t)block.current];
    fiber.waits = Waits::Named;
    fiber.barrier_id = id;
    yield();
}

void collective(void* operands, void (*compute)(void**), const char* what)
{
    int thread = block.current;
    auto& warp = block.warps[(size_t)thread / 32];
    if (warp.arrived > 0 && warp.compute != compute)
        fail("the warp's lanes are at %s and at %s at once", warp.what, what);
    warp.compute = compute;
    warp.what = what;
    warp.operands[thread % 32] = operands;
    if (++warp.arrived < 32) {
        block.fibers[(size_t)thread].waits = Waits::Warp;
        yield();
        return;
    }
    compute(warp.operands);
    warp.arrived = 0;
    for (int i = thread / 32 * 32; i < thread / 32 * 32 + 32; i++)
        block.fibers[(size_t)i].waits = Waits::Nothing;
}

namespace {

// Waits for the warpgroup's 128 threads; the last one does the work.
template <class Work> void with_group(Work work)
{
    int thread = block.current;
    auto& group = block.groups[(size_t)thread / 128];
    if (++group.arrived < 128) {
        block.fibers[(size_t)thread].waits = Waits::Group;
        yield();
        return;
    }
    work(group);
    group.arrived = 0;
    for (int i = thread / 128 * 128; i < thread / 128 * 128 + 128; i++)
        block.fibers[(size_t)i].waits = Waits::Nothing;
}

}  // namespace

void group_begin()
{
    with_group([](Group& group) { group.begun = true; });
}

void group_commit()
{
    with_group([](Group& group) { group.begun = false; });
}

void group_wait()
{
    with_group([](Group& group) {
        for (auto& product : group.pending)
            compute_group(product);
        group.pending.clear();
    });
}

void group_multiply(f32* d, int columns, const u32* left_registers, u64 left, u64 right, bool add, bool is_bf16)
{
    auto& product = block.groups[(size_t)block.current / 128].product;
    product.d[block.current % 128] = d;
    product.left_registers[block.current % 128] = left_registers;
    with_group([&](Group& group) {
        if (!group.begun)
            fail("a product of a warpgroup without group_begin before it");
        product.columns = columns;
        product.left = left;
        product.right = right;
        product.add = add;
        product.is_bf16 = is_bf16;
        if (block.late)
            group.pending.push_back(product);
        else
            compute_group(product);
    });
}

void* shared_object(const char* site, size_t bytes, size_t alignment)
{
    auto [found, added] = block.objects.try_emplace(site, 0);
    if (added) {
        found->second = round_up(block.objects_end, alignment < 16 ? 16 : alignment);
        block.objects_end = found->second + bytes;
        if (block.objects_end > block.dynamic_start)
            fail("shared memory is full: %zu bytes of objects, %zu dynamic", block.objects_end, block.dynamic_bytes);
    }
    return block.shared_begin() + found->second;
}

u8* dynamic_shared() { return block.shared_begin() + block.dynamic_start; }

u32 shared_offset(const void* p)
{
    auto offset = (const u8*)p - block.shared_begin();
    if (offset < 0 || offset > (i64)shared_max)
        fail("%p is not in shared memory", p);
    return (u32)offset;
}

void* shared_place(u32 offset, size_t bytes, size_t alignment, const char* what)
{
    if (offset % alignment)
        fail("%s: shared address %u is not on %zu bytes", what, offset, alignment);
    bool in_objects = offset + bytes <= block.objects_end;
    bool in_dynamic = offset >= block.dynamic_start && offset + bytes <= block.dynamic_start + block.dynamic_bytes;
    if (!in_objects && !in_dynamic)
        fail("%s: shared address %u is outside of what the block has", what, offset);
    return block.shared_begin() + offset;
}

void copy_async(u32 shared, const void* global, int bytes)
{
    if ((u64)global % 16 || bytes < 0 || bytes > 16)
        fail("copy_async: %d bytes from %p", bytes, global);
    Copy copy{shared, global, bytes};
    shared_place(shared, 16, 16, "copy_async");
    if (block.late)
        block.fibers[(size_t)block.current].copies.back().push_back(copy);
    else
        perform(copy);
}

void copy_async_commit() { block.fibers[(size_t)block.current].copies.emplace_back(); }

void copy_async_wait(int pending)
{
    // The open group is not waited for; of those that were committed all but the last `pending` are.
    auto& groups = block.fibers[(size_t)block.current].copies;
    while ((int)groups.size() - 1 > pending) {
        for (auto& copy : groups.front())
            perform(copy);
        groups.erase(groups.begin());
    }
}

namespace {

struct Allocation
{
    u8* mapping;
    size_t mapped, size, slack;  // slack: bytes behind the end that belong to the last 16
};

std::map<u8*, Allocation>& allocations()
{
    static std::map<u8*, Allocation> all;
    return all;
}

std::mutex allocations_lock;
constexpr u8 canary = poison;

void describe(u8* address, char* text, size_t length)
{
    // The lock may be held by a thread that is not in a kernel; then the address alone must do.
    if (allocations_lock.try_lock()) {
        for (auto& [start, a] : allocations())
            if (address >= a.mapping && address < a.mapping + a.mapped) {
                snprintf(text, length, "address %lld of an allocation of %zu bytes", (long long)(address - start), a.size);
                allocations_lock.unlock();
                return;
            }
        allocations_lock.unlock();
    }
    snprintf(text, length, "address %p", (void*)address);
}

struct sigaction old_segv, old_bus, old_ill;

void on_signal(int signal, siginfo_t* info, void* context)
{
    if (!block.running) {
        auto& old = signal == SIGSEGV ? old_segv : signal == SIGBUS ? old_bus : old_ill;
        if (old.sa_flags & SA_SIGINFO)
            old.sa_sigaction(signal, info, context);
        else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN)
            old.sa_handler(signal);
        else {
            sigaction(signal, &old, nullptr);
            raise(signal);
        }
        return;
    }
    if (signal == SIGILL)
        fail("an unaligned access, or an index outside of an array");
    char text[128];
    describe((u8*)info->si_addr, text, sizeof text);
    fail("touched %s", text);
}

void install()
{
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action = {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(SIGSEGV, &action, &old_segv);
        sigaction(SIGBUS, &action, &old_bus);
        sigaction(SIGILL, &action, &old_ill);
    });
}

}  // namespace

}  // namespace emulator

using namespace emulator;

// Memory as a device gives it, on 256 bytes where the size is a multiple of that, always on 16; filled with NaN.
EXPORT void* hearth_allocate(size_t size)
{
    size_t alignment = size % 256 == 0 ? 256 : 16;
    size_t used = round_up(size ? size : 1, alignment), mapped = round_up(used, page) + 2 * page;
    auto mapping = (u8*)mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return nullptr;
    mprotect(mapping + page, mapped - 2 * page, PROT_READ | PROT_WRITE);
    auto start = mapping + mapped - page - used;
    memset(mapping + page, canary, (size_t)(start - mapping) - page);
    memset(start, poison, size);
    memset(start + size, canary, used - size);
    std::lock_guard lock(allocations_lock);
    allocations()[start] = Allocation{mapping, mapped, size, used - size};
    return start;
}

// 1 if nothing was written around the allocation.
EXPORT int hearth_check(void* p)
{
    std::lock_guard lock(allocations_lock);
    auto found = allocations().find((u8*)p);
    if (found == allocations().end())
        return 0;
    auto& a = found->second;
    for (auto q = a.mapping + page; q < (u8*)p; q++)
        if (*q != canary)
            return 0;
    for (size_t i = 0; i < a.slack; i++)
        if (((u8*)p)[a.size + i] != canary)
            return 0;
    return 1;
}

// 1 if it was intact.
EXPORT int hearth_free(void* p)
{
    int intact = hearth_check(p);
    std::lock_guard lock(allocations_lock);
    auto found = allocations().find((u8*)p);
    if (found != allocations().end()) {
        munmap(found->second.mapping, found->second.mapped);
        allocations().erase(found);
    }
    return intact;
}

EXPORT int hearth_has(const char* name) { return kernels().count(name) != 0; }

// Sizes of a kernel's parameters, in order; gives how many there are.
EXPORT int hearth_parameters(const char* name, u32* sizes, int most)
{
    auto& all = kernels()[name].sizes;
    for (int i = 0; i < (int)all.size() && i < most; i++)
        sizes[i] = all[(size_t)i];
    return (int)all.size();
}

// Runs a kernel to its end; arguments[i] points to the i-th parameter, as cuLaunchKernel has it. Blocks run one after the other
// on the calling thread. Seed 0: threads in order, copies at once; others: random orders, copies as late as may be.
// Gives 0, or 1 with a message.
EXPORT int hearth_launch(const char* name, const u32* grid, const u32* threads, u32 shared, void** arguments, u64 seed,
    char* error,
    int error_length)
{
    install();
    auto found = kernels().find(name);
    if (found == kernels().end()) {
        snprintf(error, (size_t)error_length, "no kernel has the name %s", name);
        return 1;
    }
    block_size = Index3{(int)threads[0], (int)threads[1], (int)threads[2]};
    grid_size = Index3{(int)grid[0], (int)grid[1], (int)grid[2]};
    int count = threads_of_block();
    if (count % 32 || count < 32 || count > found->second.threads || shared > shared_max) {
        snprintf(error, (size_t)error_length, "%s: %d threads (at most %d, whole warps), %u bytes of shared memory", name, count,
            found->second.threads, shared);
        return 1;
    }
    block.prepare(count);
    block.kernel = &found->second;
    block.arguments = arguments;
    block.random.seed((unsigned)seed);
    block.late = seed != 0;
    block.dynamic_bytes = shared;
    block.dynamic_start = (shared_max - shared) & ~(size_t)1023;
    // The handler runs on a fiber's stack, so the signals' mask is restored with the jump.
    if (sigsetjmp(block.on_error, 1)) {
        block.running = false;
        snprintf(error, (size_t)error_length, "%s: %s", name, block.error.c_str());
        return 1;
    }
    block.running = true;
    for (int z = 0; z < grid_size.z; z++)
        for (int y = 0; y < grid_size.y; y++)
            for (int x = 0; x < grid_size.x; x++) {
                block_index = Index3{x, y, z};
                run_block();
            }
    block.running = false;
    return 0;
}
