// The driver API over the machine's memory, as much of it as src/Cuda binds. Misuse ends the process with a word.
#include "fake.h"
#include "kernels.h"
#include <algorithm>
#include <cstdarg>

using namespace fake;

extern "C" void* hearth_allocate(size_t bytes);
extern "C" int hearth_free(void* p);

namespace fake {

std::recursive_mutex gate;

static std::vector<Device> devices;
static thread_local Device* current = nullptr;
static std::map<uint64_t, std::pair<size_t, Device*>> allocations;  // by address
static std::map<uint64_t, size_t> pinned;
static std::vector<Stream*> streams;
static constexpr uint8_t poison = 0xff;

void fail(const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "fake CUDA driver: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

void run(Stream* stream, uint64_t until)
{
    while (!stream->queue.empty() && stream->done < until) {
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        stream->done++;
        work();
    }
}

void submit(Stream* stream, Work work)
{
    if (stream->is_capturing) {
        stream->captured.push_back(std::move(work));
        return;
    }
    stream->queue.push_back(std::move(work));
    stream->queued++;
}

template <class V> static bool holds(const std::map<uint64_t, V>& map, uint64_t p, size_t bytes, size_t (*size)(const V&))
{
    auto at = map.upper_bound(p);
    if (at == map.begin())
        return false;
    --at;
    return p >= at->first && p + bytes <= at->first + size(at->second);
}

bool is_device(uint64_t p, size_t bytes)
{
    return holds<std::pair<size_t, Device*>>(allocations, p, bytes, [](const std::pair<size_t, Device*>& a) { return a.first; });
}

static bool is_pinned(const void* p, size_t bytes)
{
    return holds<size_t>(pinned, (uint64_t)p, bytes, [](const size_t& size) { return size; });
}

static std::map<std::string, long> numbers;

// What the fake driver is like; a test may change it.
EXPORT void fake_set(const char* name, long value)
{
    std::lock_guard<std::recursive_mutex> lock(gate);
    numbers[name] = value;
}

static long number(const char* name, long otherwise)
{
    std::lock_guard<std::recursive_mutex> lock(gate);
    auto found = numbers.find(name);
    return found == numbers.end() ? otherwise : found->second;
}

static bool is_capturing()
{
    for (Stream* stream : streams)
        if (stream->is_capturing)
            return true;
    return false;
}

static void run_all()
{
    for (Stream* stream : streams)
        run(stream);
}

static void check_stream(Stream* stream)
{
    if (!stream || std::find(streams.begin(), streams.end(), stream) == streams.end())
        fail("a stream that is none, or the default one");
}

// The size of a card's memory, which the tests may make small.
static size_t memory() { return (size_t)number("memory", 1L << 32); }

}  // namespace fake

#define LOCKED std::lock_guard<std::recursive_mutex> lock(gate)
#define NEEDS_CONTEXT if (!current) return InvalidContext

EXPORT int cuInit(unsigned flags)
{
    LOCKED;
    if (flags != 0)
        return InvalidValue;
    if (devices.empty())
        for (int i = 0; i < number("devices", 2); i++)
            devices.push_back(Device{i});
    return devices.empty() ? 100 : Success;
}
EXPORT int cuGetErrorName(int result, const char** text)
{
    *text = result == OutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_FAKE";
    return Success;
}
EXPORT int cuGetErrorString(int result, const char** text)
{
    *text = result == OutOfMemory ? "out of memory" : "an error of the fake driver";
    return Success;
}
EXPORT int cuDriverGetVersion(int* version) { return *version = (int)number("version", 12040), Success; }
EXPORT int cuDeviceGetCount(int* count) { return *count = (int)devices.size(), devices.empty() ? NotInitialized : Success; }
EXPORT int cuDeviceGet(int* device, int ordinal)
{
    return *device = ordinal, ordinal >= 0 && ordinal < (int)devices.size() ? Success : InvalidDevice;
}
EXPORT int cuDeviceGetName(char* name, int length, int device) { return snprintf(name, length, "Fake card %d", device), Success; }
EXPORT int cuDeviceGetUuid_v2(char* uuid, int device) { return memset(uuid, device, 16), Success; }
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = memory(), Success; }
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int)
{
    int capability = (int)number("capability", 80);
    switch (attribute) {
    case 16: *value = 4; break;
    case 38: *value = 1 << 20; break;
    case 75: *value = capability / 10; break;
    case 76: *value = capability % 10; break;
    case 97: *value = 166912; break;
    default: return InvalidValue;
    }
    return Success;
}
EXPORT int cuDeviceCanAccessPeer(int* can, int, int) { return *can = 1, Success; }

EXPORT int cuDevicePrimaryCtxRetain(void** context, int device) { return *context = &devices[device], Success; }
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return Success; }
EXPORT int cuCtxSetCurrent(void* context) { return current = (Device*)context, Success; }
EXPORT int cuCtxSynchronize()
{
    LOCKED;
    NEEDS_CONTEXT;
    if (is_capturing())
        return CaptureUnsupported;
    return run_all(), Success;
}

EXPORT int cuStreamCreateWithPriority(Stream** stream, unsigned flags, int)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (flags != 1)
        fail("a stream that waits for the default stream");
    streams.push_back(*stream = new Stream{current});
    return Success;
}
EXPORT int cuStreamDestroy_v2(Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    run(stream);
    streams.erase(std::find(streams.begin(), streams.end(), stream));
    // Never freed: events may still name it.
    return Success;
}
EXPORT int cuStreamSynchronize(Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (stream->is_capturing)
        return CaptureUnsupported;
    return run(stream), Success;
}
EXPORT int cuStreamWaitEvent(Stream* stream, Event* event, unsigned)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (Stream* other = event->stream)
        submit(stream, [other, at = event->at] { run(other, at); });
    return Success;
}
EXPORT int cuEventCreate(Event** event, unsigned flags)
{
    NEEDS_CONTEXT;
    *event = new Event;
    (*event)->timing = !(flags & 2);
    return Success;
}
EXPORT int cuEventRecord(Event* event, Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (stream->is_capturing)
        return CaptureUnsupported;
    event->stream = stream, event->at = stream->queued;
    return Success;
}
EXPORT int cuEventQuery(Event* event)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (!event->stream || event->stream->done >= event->at)
        return Success;
    run(event->stream, event->stream->done + 1);  // or a loop of queries would never end
    return event->stream->done >= event->at ? Success : NotReady;
}
EXPORT int cuEventSynchronize(Event* event)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (event->stream)
        run(event->stream, event->at);
    return Success;
}
EXPORT int cuEventElapsedTime(float* milliseconds, Event* start, Event* end)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (!start->timing || !end->timing || !start->stream || !end->stream)
        return InvalidHandle;
    if (end->stream->done < end->at)
        return NotReady;
    return *milliseconds = 0.001f + (float)(end->at - start->at), Success;
}
EXPORT int cuEventDestroy_v2(Event* event)
{
    NEEDS_CONTEXT;
    return delete event, Success;
}

EXPORT int cuMemGetInfo_v2(size_t* free, size_t* total)
{
    LOCKED;
    NEEDS_CONTEXT;
    *total = memory();
    *free = *total - current->used;
    return Success;
}
EXPORT int cuMemAlloc_v2(uint64_t* address, size_t bytes)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (is_capturing())
        return CaptureUnsupported;
    if (bytes == 0)
        return InvalidValue;
    if (current->used + bytes > memory())
        return OutOfMemory;
    // Ends at a page that may not be touched; filled with NaN.
    void* p = hearth_allocate(bytes);
    if ((uint64_t)p % 256 != 0)
        fail("%zu bytes are asked for; a multiple of 256 serves every kernel", bytes);
    allocations[*address = (uint64_t)p] = {bytes, current};
    current->used += bytes;
    return Success;
}
EXPORT int cuMemFree_v2(uint64_t address)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (is_capturing())
        return CaptureUnsupported;
    auto at = allocations.find(address);
    if (at == allocations.end())
        return InvalidValue;
    run_all();
    auto [bytes, device] = at->second;
    if (!hearth_free((void*)address))
        fail("something was written around %zu bytes of device memory", bytes);
    device->used -= bytes;
    allocations.erase(at);
    return Success;
}
EXPORT int cuMemHostAlloc(void** memory, size_t bytes, unsigned)
{
    LOCKED;
    NEEDS_CONTEXT;
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    memset(*memory, poison, bytes);
    pinned[(uint64_t)*memory] = bytes;
    return Success;
}
EXPORT int cuMemFreeHost(void* memory)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (!pinned.erase((uint64_t)memory))
        return InvalidValue;
    run_all();
    return free(memory), Success;
}
EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (!is_device(to, bytes) || !is_pinned(from, bytes))
        return InvalidValue;
    submit(stream, [=] { memcpy((void*)to, from, bytes); });
    return Success;
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (!is_device(from, bytes) || !is_pinned(to, bytes))
        return InvalidValue;
    submit(stream, [=] { memcpy(to, (void*)from, bytes); });
    return Success;
}
EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (!is_device(to, bytes) || !is_device(from, bytes))
        return InvalidValue;
    submit(stream, [=] { memmove((void*)to, (void*)from, bytes); });
    return Success;
}
EXPORT int cuMemcpyPeerAsync(uint64_t to, void* toContext, uint64_t from, void* fromContext, size_t bytes, Stream* stream)
{
    if (!toContext || !fromContext)
        return InvalidContext;
    return cuMemcpyDtoDAsync_v2(to, from, bytes, stream);
}
EXPORT int cuMemsetD8Async(uint64_t to, uint8_t value, size_t count, Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (!is_device(to, count))
        return InvalidValue;
    submit(stream, [=] { memset((void*)to, value, count); });
    return Success;
}

EXPORT int cuModuleLoadDataEx(char** module, const void* image, unsigned, int*, void**)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (strncmp((const char*)image, "fake cubin", 10) != 0)
        return 200;
    *module = strdup((const char*)image);
    return Success;
}
EXPORT int cuModuleGetFunction(const Kernel** function, char*, const char* name)
{
    NEEDS_CONTEXT;
    return (*function = find_kernel(name)) ? Success : NotFound;
}
EXPORT int cuModuleUnload(char* module)
{
    NEEDS_CONTEXT;
    return free(module), Success;
}
EXPORT int cuFuncLoad(const Kernel*) { return Success; }
EXPORT int cuFuncSetAttribute(const Kernel*, int, int) { return Success; }
EXPORT int cuFuncGetAttribute(int* value, int, const Kernel*) { return *value = 0, Success; }
EXPORT int cuFuncGetParamInfo(const Kernel* kernel, size_t index, size_t* offset, size_t* size)
{
    if (index >= kernel->sizes.size())
        return InvalidValue;
    *offset = kernel->offset(index);
    *size = kernel->sizes[index];
    return Success;
}
EXPORT int cuLaunchKernel(const Kernel* kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
    unsigned shared, Stream* stream, void** parameters, void** extra)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (stream->device != current)
        fail("%s is launched on a stream of another card", kernel->name.c_str());
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || extra || bx * by * bz > 1024)
        return InvalidValue;
    // Parameters are copied by the call, as the driver does.
    std::vector<std::vector<uint8_t>> values;
    for (size_t i = 0; i < kernel->sizes.size(); i++) {
        auto* p = (uint8_t*)parameters[i];
        values.emplace_back(p, p + kernel->sizes[i]);
    }
    submit(stream, [=, values = std::move(values)]() mutable {
        std::vector<void*> pointers;
        for (auto& value : values)
            pointers.push_back(value.data());
        kernel->run({gx, gy, gz}, {bx, by, bz}, shared, pointers.data());
    });
    return Success;
}

struct Graph { Stream* stream; std::vector<Work> works; };

EXPORT int cuStreamBeginCapture_v2(Stream* stream, int mode)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (mode != 1)
        fail("a capture that other threads could break");
    stream->is_capturing = true;
    stream->captured.clear();
    return Success;
}
EXPORT int cuStreamEndCapture(Stream* stream, Graph** graph)
{
    LOCKED;
    NEEDS_CONTEXT;
    if (!stream->is_capturing)
        return 401;
    stream->is_capturing = false;
    *graph = new Graph{stream, std::move(stream->captured)};
    stream->captured.clear();
    return Success;
}
EXPORT int cuGraphInstantiateWithFlags(Graph** exec, Graph* graph, unsigned long long) { return *exec = new Graph(*graph), Success; }
EXPORT int cuGraphUpload(Graph*, Stream*) { return Success; }
EXPORT int cuGraphLaunch(Graph* exec, Stream* stream)
{
    LOCKED;
    NEEDS_CONTEXT;
    check_stream(stream);
    if (stream->is_capturing)
        return CaptureUnsupported;
    for (const Work& work : exec->works)
        submit(stream, work);
    fake_counters.graph_launches++;
    return Success;
}
EXPORT int cuGraphExecDestroy(Graph* exec) { return delete exec, Success; }
EXPORT int cuGraphDestroy(Graph* graph) { return delete graph, Success; }
